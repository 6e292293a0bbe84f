// The server's process, seen from the load: commands with an answer each, and an end.

import { fork } from 'node:child_process'

/** Milliseconds until the process is killed after it was told to end. */
const LAST_WAIT = 20_000

export class ServerProcess {
  static async start (plugin) {
    const child = fork(new URL('server.mjs', import.meta.url), [plugin], { execArgv: ['--expose-gc'] })
    const server = new ServerProcess(child)
    const { ports, error } = await server.answerTo(0)
    if (error !== undefined) throw new Error(error)
    server.ports = ports
    return server
  }

  constructor (child) {
    this.child = child
    this.ids = 0
    this.pending = new Map()
    this.ended = new Promise(resolve => { child.once('exit', resolve) })
    child.on('message', ({ id, ...answer }) => { this.answer(id, answer) })
    child.once('exit', (code, signal) => {
      this.hasEnded = true
      for (const id of this.pending.keys()) this.answer(id, { error: `the server's process has ended (${code ?? signal})` })
    })
  }

  async command (command) {
    const id = ++this.ids
    const answer = this.answerTo(id)
    if (this.hasEnded) this.answer(id, { error: "the server's process has ended" })
    else this.child.send({ id, command })
    return await answer
  }

  async answerTo (id) {
    return await new Promise(resolve => { this.pending.set(id, resolve) })
  }

  answer (id, answer) {
    this.pending.get(id)?.(answer)
    this.pending.delete(id)
  }

  /** True when the applications closed and nothing kept the process alive. It is gone afterwards in any case. */
  async close () {
    let timer
    const late = new Promise(resolve => { timer = setTimeout(resolve, LAST_WAIT, false) })
    const gone = this.command('close').then(() => this.ended).then(() => true)
    const isInTime = await Promise.race([gone, late])
    clearTimeout(timer)
    if (!isInTime) this.child.kill('SIGKILL')
    return isInTime
  }
}
