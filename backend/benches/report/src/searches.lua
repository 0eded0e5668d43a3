-- Searches with a new key each.
-- Arguments: the path, to which a number is added, and the first number.
function init(arguments)
    head = "GET " .. arguments[1]
    next_number = tonumber(arguments[2]) + number
end

function request()
    local own = head .. string.format("%d", next_number) .. " HTTP/1.1\r\nHost: localhost\r\n\r\n"
    -- Two threads; each uses every second number.
    next_number = next_number + 2
    return own
end
