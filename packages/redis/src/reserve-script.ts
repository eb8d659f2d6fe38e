/**
 * Reserves ARGV[1] connections at ARGV[2] per second after those reserved so far, by the generic cell rate algorithm. Its only
 * state is in KEYS[1]: the time at which the next connection is due.
 *
 * Times are Redis's own, because the clocks of processes differ, in microseconds since the epoch, which is more digits than Lua
 * prints by default. The key expires when its time has passed.
 *
 * @returns the milliseconds until the first connection may be opened
 */
export const RESERVE_SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local due = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
local next = math.ceil(due + ARGV[1] * 1000000 / ARGV[2])
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000))
return math.ceil((due - now) / 1000)
`;
