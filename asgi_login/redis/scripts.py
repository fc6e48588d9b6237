"""The scripts that run in the store: each decides and writes in one step, by the clock of the store.

They are sent as text each time. The server knows a script by its text, so that after a restart nothing must be loaded.
"""

_PRELUDE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function text(number) return string.format('%.0f', number) end
local function note(...)
  redis.call('XADD', KEYS[1], 'MINID', '~', text(now - 3600000), '*', ...)
end
local function read_cut_off(value)
  if not value then return nil end
  local at, rest = string.match(value, '^(%d+)(.*)$')
  local after, kept = string.match(rest, '^,(%d+):(.*)$')
  if not after then after, kept = 0, string.sub(rest, 2) end
  return tonumber(at), tonumber(after), kept
end
local function state()
  local info = redis.call('INFO', 'replication')
  return text(now), string.match(info, 'role:(%w+)'), string.match(info, 'master_replid:(%w+)')
end
"""
# KEYS: log, mark, and the family of a session. ARGV: kind, value, until.
END = (
    _PRELUDE
    + """
local till = ARGV[3] * 1000
if till > now then
  if redis.call('PEXPIRETIME', KEYS[2]) < till then redis.call('SET', KEYS[2], '1', 'PXAT', text(till)) end
  note('k', ARGV[1], 'v', ARGV[2], 'x', ARGV[3])
end
if KEYS[3] then redis.call('DEL', KEYS[3]) end
"""
)
# KEYS: log, cut-off, devices. ARGV: sub, kept, leeway, keep, ahead.
CUT_OFF = (
    _PRELUDE
    + """
local at, kept, after = math.floor(now / 1000) + ARGV[3], ARGV[2], 0
local old_at, old_after, old_kept = read_cut_off(redis.call('GET', KEYS[2]))
if old_at then
  if old_kept == kept then after = old_after else after = old_at end
  at = math.max(at, old_at, math.min(old_at + 1, at + ARGV[5]))
end
local value = text(at)
if kept ~= '' and after > 0 then value = value .. ',' .. text(after) end
value = value .. ':' .. kept
local till = now + ARGV[4] * 1000
redis.call('SET', KEYS[2], value, 'PXAT', text(till))
note('k', 'u', 'v', ARGV[1], 'x', text(math.ceil(till / 1000)), 'c', value)
for _, sid in ipairs(redis.call('HKEYS', KEYS[3])) do
  if sid ~= kept then redis.call('HDEL', KEYS[3], sid) end
end
return value
"""
)
# KEYS: log, and the key of each entry. ARGV: k, v, x, c of each.
OFFER = (
    _PRELUDE
    + """
for i = 2, #KEYS do
  local k, v, x, c = ARGV[4 * i - 7], ARGV[4 * i - 6], ARGV[4 * i - 5], ARGV[4 * i - 4]
  if k ~= 'u' then
    if redis.call('SET', KEYS[i], '1', 'NX', 'PXAT', text(x * 1000)) then note('k', k, 'v', v, 'x', x) end
  else
    local at, after, kept = read_cut_off(c)
    local old_at, old_after, old_kept = read_cut_off(redis.call('GET', KEYS[i]))
    if kept == '' then after = at end
    if old_kept == '' then old_after = old_at end
    if not old_at or old_at < at or old_at == at and old_after < after then
      redis.call('SET', KEYS[i], c, 'PXAT', text(x * 1000))
      note('k', k, 'v', v, 'x', x, 'c', c)
    end
  end
end
"""
)
# KEYS: log, epoch. ARGV: a new epoch. A store that is full can be followed all the same.
BEGIN = (
    _PRELUDE
    + """
local epoch = redis.call('GET', KEYS[2])
if not epoch then
  local written = redis.pcall('SET', KEYS[2], ARGV[1])
  epoch = ARGV[1]
  if written.err then
    if not string.find(written.err, 'OOM') then return written end
    epoch = ''
  end
end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local memory, server = redis.call('INFO', 'memory'), redis.call('INFO', 'server')
local limit, policy = string.match(memory, '\\nmaxmemory:(%d+)'), string.match(memory, 'maxmemory_policy:([%w-]+)')
local at, role, id = state()
local version = string.match(server, 'redis_version:(%d+)')
return {at, epoch, role, id, last[1] and last[1][1] or '0-0', limit or '', policy or '', version or ''}
"""
)
# KEYS: log, epoch. Each process asks twice a second: one text is read faster than a list of four.
STATE = (
    _PRELUDE
    + """
local at, role, id = state()
return table.concat({at, role, id, redis.call('GET', KEYS[2]) or ''}, ' ')
"""
)
# KEYS: devices. ARGV: sid, device, until, most.
REMEMBER_DEVICE = (
    _PRELUDE
    + """
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[4]) then
  local oldest, seen = nil, math.huge
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local is_good, device = pcall(cjson.decode, all[i + 1])
    local at = is_good and type(device) == 'table' and tonumber(device.seen) or 0
    if at < seen then oldest, seen = all[i], at end
  end
  redis.call('HDEL', KEYS[1], oldest)
end
if redis.call('PEXPIRETIME', KEYS[1]) < ARGV[3] * 1000 then redis.call('PEXPIREAT', KEYS[1], text(ARGV[3] * 1000)) end
"""
)
# KEYS: devices, cut-off. ARGV: the beginning of the keys of marks on sessions, which lie in the same slot.
DEVICES = (
    _PRELUDE
    + """
local found = {text(now), redis.call('GET', KEYS[2]) or ''}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if redis.call('EXISTS', ARGV[1] .. all[i]) == 0 then
    found[#found + 1] = all[i]
    found[#found + 1] = all[i + 1]
  end
end
return found
"""
)
# KEYS: family, cut-off. ARGV: idle, lifetime, in milliseconds.
START_FAMILY = (
    _PRELUDE
    + """
local cut_off = redis.call('GET', KEYS[2])
local cut, born = read_cut_off(cut_off), math.floor(now / 1000)
if cut and cut >= born then born = cut + 1 end
local idle, lifetime = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('HSET', KEYS[1], 'g', '1', 'at', text(now), 'end', text(now + lifetime), 'born', text(born))
redis.call('PEXPIRE', KEYS[1], text(math.min(idle, lifetime)))
return cut_off or ''
"""
)
# KEYS: log, family, mark, cut-off. ARGV: sid, generation, idle, window, until, born, keep, whether it advances, whether
# an old token ends the login. Times are in milliseconds, but for born. `stores.families.use_up` says what is decided.
ROTATE = (
    _PRELUDE
    + """
local sid, gen, idle, window = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local till, keep, advances = tonumber(ARGV[5]), tonumber(ARGV[7]), ARGV[8] == '1'
local family = redis.call('HMGET', KEYS[2], 'g', 'at', 'end', 'born')
local g, at, last, born = tonumber(family[1]), tonumber(family[2]), tonumber(family[3]), tonumber(family[4])
if not g and gen == 0 then g, at, last, born = 0, now, till, tonumber(ARGV[6]) end
if not g then return {'gone', '0'} end
last = math.max(last, till)
local cut, after, kept = read_cut_off(redis.call('GET', KEYS[4]))
if kept == sid then cut = after end
if now >= last or redis.call('EXISTS', KEYS[3]) == 1 or cut and born <= cut then
  redis.call('DEL', KEYS[2])
  return {'gone', '0'}
end
local outcome = 'reused'
if gen == g then outcome = 'won'
elseif gen > g then outcome = 'ahead'
elseif gen == g - 1 and math.abs(now - at) < window then outcome = 'again' end
if outcome == 'reused' then
  if ARGV[9] ~= '1' then return {outcome, '0'} end
  redis.call('SET', KEYS[3], '1', 'PX', text(keep))
  note('k', 's', 'v', sid, 'x', text(math.ceil((now + keep) / 1000)))
  redis.call('DEL', KEYS[2])
  return {outcome, '0'}
end
if outcome ~= 'again' and advances then
  redis.call('HSET', KEYS[2], 'g', text(gen + 1), 'at', text(now), 'end', text(last), 'born', text(born))
  redis.call('PEXPIRE', KEYS[2], text(math.min(idle, last - now)))
end
return {outcome, text(last - now)}
"""
)
