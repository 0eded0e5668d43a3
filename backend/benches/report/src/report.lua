-- The end of every wrk script: prints one line, which the report reads.
local all = {}

function setup(thread)
    thread:set("number", #all)
    table.insert(all, thread)
end

function done(summary, latency)
    local errors = summary.errors
    local exhausted = 0
    for _, thread in ipairs(all) do
        if thread:get("exhausted") then exhausted = 1 end
    end
    print(string.format(
        "measured %d %d %d %d %d %d",
        summary.requests,
        summary.duration,
        latency:percentile(50),
        latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        exhausted
    ))
end
