// How many bytes a message carries: of all that ws sends, and all that it delivers.

// An array is one of fragments where it was delivered, and one of bytes where it is sent.
export function sizeOf (data: unknown): number {
  if (Array.isArray(data)) return data.reduce((sum, part) => sum + (typeof part === 'number' ? 1 : sizeOf(part)), 0)
  if (data instanceof Blob) return data.size
  if (typeof data === 'object' && data !== null && 'byteLength' in data) return Number(data.byteLength)
  return Buffer.byteLength(String(data ?? ''))
}
