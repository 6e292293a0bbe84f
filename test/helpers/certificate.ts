import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Self-signed, for localhost, 127.0.0.1 and ::1; valid from 2020 to 2120. Clients trust it with `ca: certificate.cert`. */
export const certificate = {
  key: readFileSync(join(__dirname, 'tls/key.pem')),
  cert: readFileSync(join(__dirname, 'tls/cert.pem'))
}
