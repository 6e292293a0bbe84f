// One HTTP/1.1 response, read from bytes (RFC 9112): with a length, in chunks, without a body, or until the end.
import type { ByteReader } from './byte-reader'

export interface RawResponse {
  status: number;
  statusText: string;
  /** Lower-case names; a header that came several times is joined with ', '. */
  headers: Record<string, string>;
  /** As they came, in order. */
  rawHeaders: Array<[name: string, value: string]>;
  body: string;
  bytes: Buffer;
}

type Head = Omit<RawResponse, 'body' | 'bytes'>

export async function readResponse (reader: ByteReader, toHead: boolean): Promise<RawResponse> {
  const head = parseHead(await reader.takeUntil('\r\n\r\n', 'the head of a response'))
  const bytes = await readBody(reader, head, toHead)
  return { ...head, bytes, body: bytes.toString() }
}

async function readBody (reader: ByteReader, { status, headers }: Head, toHead: boolean): Promise<Buffer> {
  if (toHead || status < 200 || status === 204 || status === 304) return Buffer.alloc(0)
  if (headers['transfer-encoding'] === 'chunked') return await readChunks(reader)
  if (headers['content-length'] !== undefined) return await reader.take(Number(headers['content-length']))
  return await reader.rest()
}

async function readChunks (reader: ByteReader): Promise<Buffer> {
  const chunks: Buffer[] = []
  while (true) {
    const size = parseInt(await reader.takeUntil('\r\n', 'the size of a chunk'), 16)
    if (size === 0) break
    chunks.push((await reader.take(size + 2)).subarray(0, size))
  }
  while (await reader.takeUntil('\r\n', 'the trailers') !== '');
  return Buffer.concat(chunks)
}

function parseHead (head: string): Head {
  const [statusLine = '', ...lines] = head.split('\r\n')
  const match = /^HTTP\/1\.1 (\d{3}) ?(.*)$/.exec(statusLine)
  if (match === null) throw new Error(`not a response: ${JSON.stringify(statusLine)}`)

  const rawHeaders = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
  const headers: Record<string, string> = {}
  for (const [name, value] of rawHeaders) {
    const key = name.toLowerCase()
    headers[key] = headers[key] === undefined ? value : `${headers[key]}, ${value}`
  }
  return { status: Number(match[1]), statusText: match[2] ?? '', headers, rawHeaders }
}
