/**
 * Reserves ARGV[1] connections at ARGV[2] per second behind those reserved so far: the generic cell rate algorithm, of which
 * KEYS[1] holds all there is, the time at which the next connection is due.
 *
 * Times are Redis's own, in microseconds since the epoch: the clocks of processes differ. They have more digits than Lua
 * writes of a number by itself. The key vanishes when what it says is past.
 *
 * @returns the milliseconds until the first of them
 */
export const RESERVE_SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local due = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
local next = math.ceil(due + ARGV[1] * 1000000 / ARGV[2])
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000))
return math.ceil((due - now) / 1000)
`;
