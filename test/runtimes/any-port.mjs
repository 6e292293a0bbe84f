// Loaded before a program: port 3000, which the examples listen on, is any free port.
import { Server } from 'node:http'

const listen = Server.prototype.listen

Server.prototype.listen = function listenAnywhere (options, ...rest) {
  return listen.call(this, options?.port === 3000 ? { ...options, port: 0 } : options, ...rest)
}
