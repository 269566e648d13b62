-- wrk -s load.lua URL -- FILE
-- FILE holds a body to post or, where its name ends in .tokens, lines of
-- "path token" to read in turn. The last line of the output is a JSON object.

function init(args)
  local lines = {}
  for line in io.lines(args[1]) do lines[#lines + 1] = line end
  local requests = {}
  for i, line in ipairs(lines) do
    if args[1]:match("%.tokens$") then
      local path, token = line:match("(%S+) (%S+)")
      requests[i] = wrk.format("GET", path, { Authorization = "Bearer " .. token })
    else
      requests[i] = wrk.format("POST", "/oauth/register", { ["Content-Type"] = "application/json" }, line)
    end
  end
  local n = 0
  request = function()
    n = n % #requests + 1
    return requests[n]
  end
end

function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"micros":%d,"failed":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.timeout + e.status,
    latency:percentile(50), latency:percentile(99)))
end
