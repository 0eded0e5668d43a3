-- What every wrk script does at the end: one line that the report reads.
function done(summary, latency)
    local errors = summary.errors
    print(string.format(
        "measured %d %d %d %d %d",
        summary.requests,
        summary.duration,
        latency:percentile(50),
        latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout
    ))
end
