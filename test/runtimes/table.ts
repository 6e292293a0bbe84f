// The table of the README that says where a promise does not hold.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Table {
  /** The cell of its head for each runtime, such as 'Bun 1.4'. */
  head: string[];
  rows: Array<{ promise: string, cells: string[] }>;
}

export function readTable (): Table {
  const readme = readFileSync(join(__dirname, '../../README.md'), 'utf8')
  const section = /^## Where it runs\n([^]*?)^## /m.exec(readme)?.[1] ?? ''
  const [head = [], , ...rows] = section.split('\n').filter(line => line.startsWith('|')).map(readCells)
  return { head: head.slice(1), rows: rows.map(([promise = '', ...cells]) => ({ promise, cells })) }
}

/** True for a cell that says that the promise holds. */
export function holds (cell: string | undefined): boolean {
  return cell === 'yes'
}

function readCells (line: string): string[] {
  return line.split('|').slice(1, -1).map(cell => cell.trim())
}
