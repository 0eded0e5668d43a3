-- Reads of ids at random.
-- Arguments: the path, to which an id is added, the first id, and the number of ids.
function init(arguments)
    head = "GET " .. arguments[1]
    first = tonumber(arguments[2])
    count = tonumber(arguments[3])
    -- The threads of wrk read other ids than each other, and the same in each run.
    math.randomseed(348 + number)
end

function request()
    local id = first + math.random(0, count - 1)
    return head .. string.format("%d", id) .. " HTTP/1.1\r\nHost: localhost\r\n\r\n"
end
