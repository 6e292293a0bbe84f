'use strict'

// Everything that resolves inside @fastify/websocket, which has no exports map, and is of use to anybody.

const assert = require('node:assert/strict')
const { readFileSync } = require('node:fs')
const { dirname, join } = require('node:path')
const websocket = require('fastify-wss')

assert.equal(require('fastify-wss/index'), websocket)
assert.equal(require('fastify-wss/index.js'), websocket)

const manifest = require('fastify-wss/package.json')
const folder = dirname(require.resolve('fastify-wss/package.json'))
assert.equal(require.resolve('fastify-wss/types/index.d.ts'), join(folder, manifest.types))
assert.match(readFileSync(require.resolve('fastify-wss/types/index.d.ts'), 'utf8'), /export = /)
console.log(manifest.name)
