# Writes the files of a page to their places: a line that is only **`path`** names the file of the code block that follows.
# A line **`path`** after `text` inserts the block behind the first line of that file that is the text.

/^\*\*`[^`]+`\*\*( after `.*`)?$/ {
    split($0, parts, "`")
    path = parts[2]
    after = parts[4]
    next
}
/^```/ && path == "" { skipping = !skipping; next }
/^```/ && !inside { inside = 1; content = ""; next }
/^```/ {
    inside = 0
    if (after == "") {
        directory = path
        sub(/\/[^\/]*$/, "", directory)
        system("mkdir -p '" directory "'")
        printf "%s", content > path
    } else {
        inserted = ""
        found = 0
        while ((getline line < path) > 0) {
            inserted = inserted line "\n"
            if (!found && line == after) {
                inserted = inserted content
                found = 1
            }
        }
        close(path)
        if (!found) {
            print path " has no line: " after > "/dev/stderr"
            exit 1
        }
        printf "%s", inserted > path
    }
    close(path)
    path = ""
    next
}
inside { content = content $0 "\n" }
