export type { IoredisClient, NodeRedisClient, RedisClient } from './client.js';
export { type RedisLimiterOptions, redisLimiter } from './redis-limiter.js';
