// What an application holds: a live heap beside the connections, the same for all contestants. In an almost empty process
// the heap's size decides what a large message costs, because it sets how often V8 looks for old garbage (see README.md).

const RECORDS_PER_MEGABYTE = 6600

/** Kept alive. */
export let ballast = []

export function holdBallast (megabytes) {
  ballast = Array.from({ length: megabytes * RECORDS_PER_MEGABYTE }, (_, id) => ({ id, tags: [id], name: `record ${id}` }))
}
