// Calls from the process that leads to the ones that serve and load: one at a time, each with one answer.

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** In the child: answers calls with the functions of these names. */
export function answerCalls (functions) {
  process.on('disconnect', () => { process.exit() })
  process.on('message', async ({ name, argument }) => {
    try {
      process.send({ value: await functions[name](argument) })
    } catch (error) {
      process.send({ failure: error.stack })
    }
  })
}

/** In the parent: a new process that runs a file of this directory. */
export function startProcess (file, args = []) {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const child = fork(path, args, { execArgv: ['--expose-gc'] })
  return { call, stop }

  function call (name, argument) {
    return new Promise((resolve, reject) => {
      child.once('message', onAnswer)
      child.once('exit', onExit)
      child.send({ name, argument })

      function onAnswer ({ value, failure }) {
        child.off('exit', onExit)
        if (failure === undefined) resolve(value)
        else reject(new Error(`${file} ${args.join(' ')}: ${failure}`))
      }

      function onExit (code, signal) {
        child.off('message', onAnswer)
        reject(new Error(`${file} ${args.join(' ')} ended with ${signal ?? code} during ${name}`))
      }
    })
  }

  function stop () {
    if (child.exitCode !== null || child.signalCode !== null) return
    return new Promise(resolve => {
      child.once('exit', resolve)
      child.kill('SIGKILL')
    })
  }
}
