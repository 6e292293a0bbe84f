// A redis-server on a spare port, with what it keeps in a folder of its own.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const isThere = spawnSync('redis-server', ['--version']).status === 0

export async function startRedis (...args) {
  const dir = mkdtempSync(join(tmpdir(), 'fastify-wss-bench-'))
  const port = await sparePort()
  let child
  await start()
  return { port, start, kill, end }

  async function start () {
    child = spawn('redis-server', ['--port', port, '--bind', '127.0.0.1', '--save', '', '--dir', dir, ...args], { stdio: 'ignore' })
    while (!await answers(port)) await new Promise(resolve => { setTimeout(resolve, 20) })
  }

  async function kill () {
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  async function end () {
    await kill()
    rmSync(dir, { recursive: true })
  }
}

async function sparePort () {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

async function answers (port) {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    socket.write('PING\r\n')
    const [answer] = await once(socket, 'data')
    return String(answer).startsWith('+PONG')
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
