// What is served: the document as JSON and as YAML, and the page that shows it. They have the hooks of the instance on which
// the plugin is registered, and are in no description of an HTTP API.

import { createReadStream } from 'node:fs'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AsyncAPIDocument } from '../../types/asyncapi'
import { filesOfPage, pageOf, POLICY } from './page'
import { toYaml } from './yaml'

export function serve (fastify: FastifyInstance, routePrefix: string, document: () => AsyncAPIDocument): void {
  const name = routePrefix.slice(routePrefix.lastIndexOf('/') + 1)
  const hidden: object = { schema: { hide: true } }
  fastify.get(`${routePrefix}.json`, hidden, sendJson)
  fastify.get(`${routePrefix}.yaml`, hidden, sendYaml)
  fastify.get(routePrefix, hidden, sendPage)
  fastify.get(`${routePrefix}/web-component.js`, hidden, sendScript)
  fastify.get(`${routePrefix}/style.css`, hidden, sendStyle)

  async function sendJson (_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    return reply.type('application/json; charset=utf-8').send(JSON.stringify(document()))
  }

  async function sendYaml (_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    return reply.type('application/yaml; charset=utf-8').send(toYaml(document()))
  }

  async function sendPage (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    // With ignoreTrailingSlash. Relative links lead elsewhere from there.
    if (/^[^?]*\/($|\?)/.test(request.url)) return reply.redirect(`../${name}`)
    filesOfPage()
    return reply.type('text/html; charset=utf-8').header('content-security-policy', POLICY).send(pageOf(document().info.title, name))
  }

  async function sendScript (_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    return reply.type('text/javascript; charset=utf-8').send(createReadStream(filesOfPage().script))
  }

  async function sendStyle (_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    return reply.type('text/css; charset=utf-8').send(createReadStream(filesOfPage().style))
  }
}
