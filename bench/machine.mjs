// What the numbers were measured on, and with. Nothing that names the machine or its user.

import { cpus, totalmem, type } from 'node:os'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { contestants } from './contestants.mjs'

const require = createRequire(import.meta.url)

// Installed under another name.
const NAMES = { 'fastify-websocket-reference': '@fastify/websocket' }

export function describeMachine () {
  const all = cpus()
  const packages = [...new Set(Object.values(contestants).map(contestant => contestant.package))]
  return {
    CPU: `${all[0]?.model.trim()}, ${all.length} cores`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${type()} ${process.arch}`,
    Node: process.version,
    packages: packages.filter(versionOf).map(name => `${NAMES[name] ?? name} ${versionOf(name)}`).join(', '),
    date: new Date().toISOString().slice(0, 10)
  }
}

export function isInstalled (name) {
  return name in contestants && versionOf(contestants[name].package) !== undefined
}

// A package may keep its package.json to itself: it is looked for where Node would look.
function versionOf (name) {
  if (name === 'fastify-wss') return require('../package.json').version
  for (const directory of require.resolve.paths(name)) {
    try {
      return JSON.parse(readFileSync(`${directory}/${name}/package.json`, 'utf8')).version
    } catch {}
  }
}
