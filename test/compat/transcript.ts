// What was observed, one line each, in lanes. The order within a lane is part of the behaviour. Between two lanes (a client
// and the application, say) there is none that a network would keep, so none is compared.

export type Transcript = Record<string, string[]>

/** `lane - line` for what only the first has, `lane + line` for what only the second has. */
export function compare (first: Transcript, second: Transcript): string[] {
  const lanes = [...new Set([...Object.keys(first), ...Object.keys(second)])].sort()
  return lanes.flatMap(lane => compareLines(first[lane] ?? [], second[lane] ?? []).map(line => `${lane} ${line}`))
}

// The longest common subsequence, from the end: lengths[i][j] is that of first.slice(i) and second.slice(j).
function compareLines (first: string[], second: string[]): string[] {
  const lengths = first.concat('').map(() => second.concat('').map(() => 0))
  const at = (i: number, j: number) => lengths[i]?.[j] ?? 0
  for (let i = first.length - 1; i >= 0; i--) {
    const row = lengths[i] ?? []
    for (let j = second.length - 1; j >= 0; j--) {
      row[j] = first[i] === second[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  return walk(first, second, at)
}

function walk (first: string[], second: string[], at: (i: number, j: number) => number): string[] {
  const lines: string[] = []
  let i = 0
  let j = 0
  while (i < first.length || j < second.length) {
    if (i < first.length && j < second.length && first[i] === second[j]) {
      i++
      j++
    } else if (j === second.length || (i < first.length && at(i + 1, j) >= at(i, j + 1))) {
      lines.push(`- ${first[i++]}`)
    } else {
      lines.push(`+ ${second[j++]}`)
    }
  }
  return lines
}
