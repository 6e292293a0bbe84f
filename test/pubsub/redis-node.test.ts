// The two connections to Redis by node-redis.
import { createClient } from 'redis'
import t from 'tap'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { testLink } from '../helpers/redis-links'

checkLeaksAtEnd(t)

testLink('node-redis', port => createClient({ socket: { port, host: '127.0.0.1' } }) as never)
