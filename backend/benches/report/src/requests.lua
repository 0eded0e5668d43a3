
-- Requests from a list, formatted before the load begins, so that wrk takes little time itself.
-- Arguments: the file of the list, an access token, and `once` or `again`.
function init(arguments)
    requests = {}
    local reads = { ["Host"] = "localhost" }
    local writes = {
        ["Host"] = "localhost",
        ["Content-Type"] = "application/json",
        ["Authorization"] = "Bearer " .. arguments[2],
    }
    local line_number = 0
    for line in io.lines(arguments[1]) do
        -- Two threads; each sends every second request.
        if line_number % 2 == number then
            local method, id = line:match("(%u+) (%d+)")
            local path = "/api/v1/widgets/" .. id
            if method == "PATCH" then
                requests[#requests + 1] = wrk.format(method, path, writes, '{"name":"Widget ' .. id .. '"}')
            else
                requests[#requests + 1] = wrk.format(method, path, reads)
            end
        end
        line_number = line_number + 1
    end
    once = arguments[3] == "once"
    position = 0
end

function request()
    position = position + 1
    if position > #requests then
        if once then exhausted = true end
        position = 1
    end
    return requests[position]
end
