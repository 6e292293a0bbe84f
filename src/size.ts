// How many bytes a message carries: of all that ws sends, and all that it delivers.

// An array is one of fragments where it was delivered, and one of bytes where it is sent.
export function sizeOf (data: unknown): number {
  if (data instanceof Uint8Array) return data.byteLength
  if (Array.isArray(data)) return data.reduce((sum, part) => sum + (typeof part === 'number' ? 1 : sizeOf(part)), 0)
  if (data instanceof Blob) return data.size
  if (typeof data === 'object' && data !== null && 'byteLength' in data) return Number(data.byteLength)
  return Buffer.byteLength(String(data ?? ''))
}

// Of a Buffer and what is around it.
const COST = 256

/** How much memory it takes at least to keep a message, so that empty ones are bounded too. */
export function costOf (data: unknown): number {
  return COST * (Array.isArray(data) ? data.length + 1 : 1) + sizeOf(data)
}
