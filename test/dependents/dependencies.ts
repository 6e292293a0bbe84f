// What the programs run on, as ranges: a new version of a dependent is tried without a change here.

export const DEPENDENCIES = {
  '@fastify/cookie': '^11.1.0',
  '@fastify/http-proxy': '^11.6.0',
  '@fastify/jwt': '^10.2.0',
  '@fastify/otel': '^0.21.2',
  '@fastify/rate-limit': '^11.2.0',
  '@fastify/session': '^11.1.0',
  '@fastify/swagger': '^9.9.0',
  // The tracing SDK refuses 1.10.
  '@opentelemetry/api': '~1.9.0',
  '@opentelemetry/context-async-hooks': '^2.12.0',
  '@opentelemetry/sdk-trace-base': '^2.12.0',
  '@trpc/client': '^11.25.0',
  '@trpc/server': '^11.25.0',
  // 0.1.5 is for Yjs 14, of which there are only prereleases: npm finds no version of @y/y for it.
  '@y/websocket-server': '0.1.1',
  // 17 does not run on Node 20.
  graphql: '^16.0.0',
  'graphql-ws': '^6.4.0',
  'playwright-core': '^1.65.1',
  'y-websocket': '^3.1.0',
  yjs: '^13.6.0'
}
