/** What wrk is to send, over and over. */
export type WrkLoad = {
  /** Rotated over, one a request; every caller has equal parts. */
  readonly apiKeys: readonly string[];
  readonly path: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** For how long calls are begun; each may take longer to be answered. */
  readonly durationMs: number;
};

/** The line in wrk's output that carries what `done` counted. */
export const wrkResultPrefix = "bench-result ";

/**
 * Writes the Lua script for a wrk of one thread and so many connections.
 *
 * wrk cuts what is in flight when its time is over, and a call that is cut is charged for what was delivered: legitimate, but
 * nothing that can be compared to the nano. So `request` hands out empty requests once the load's own time is over: a
 * connection that gets one sends nothing and stays idle. When all are idle every call that was begun has been answered, that
 * moment is the moment of the last answer, and the script interrupts wrk, which then reports. The rate is taken between the
 * first request and that moment.
 */
export function wrkScript(load: WrkLoad, connections: number): string {
  const headers = Object.entries({ "content-type": "application/json", ...load.headers });
  return `
local ffi = require("ffi")
ffi.cdef[[
  typedef struct { long seconds; long nanos; } bench_time;
  int clock_gettime(int clock, bench_time *time);
  int getpid(void);
  int kill(int pid, int signal);
]]
local clock = ffi.new("bench_time")
local function now()
  ffi.C.clock_gettime(1, clock)
  return tonumber(clock.seconds) * 1e6 + tonumber(clock.nanos) / 1e3
end
local keys = { ${load.apiKeys.map(luaText).join(", ")} }
local headers = { ${headers.map(([name, value]) => `[${luaText(name)}] = ${luaText(value)}`).join(", ")} }
local body = ${luaText(load.body)}
local requests = {}
local at = 0
local deadline = math.huge
local running

function setup(thread) running = thread end

function init()
  for i, key in ipairs(keys) do
    headers["authorization"] = "Bearer " .. key
    requests[i] = wrk.format("POST", ${luaText(load.path)}, headers, body)
  end
  -- wrk asks for one request before it begins, to see whether it parses; that one is never sent.
  begun = -1
  idle = 0
  first = 0
  last = 0
end

function request()
  local time = now()
  begun = begun + 1
  if begun == 1 then
    first = time
    deadline = time + ${load.durationMs * 1000}
  elseif time >= deadline then
    begun = begun - 1
    idle = idle + 1
    last = time
    if idle == ${connections} then ffi.C.kill(ffi.C.getpid(), 2) end
    return ""
  end
  at = at % #keys + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '${wrkResultPrefix}{"begun":%d,"answered":%d,"micros":%.0f,"p50":%.0f,"p99":%.0f,"refused":%d,"broken":%d}\\n',
    running:get("begun"), summary.requests, running:get("last") - running:get("first"),
    latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write))
end
`;
}

function luaText(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
