# A clone and the template that it comes from: the file that remembers it, and what its scripts refuse. Sourced after
# common.sh, not run.

# Where the template is, which commit of it this project has, and how it was changed.
clone_file=.template

# Fails where a program is missing, or this is no clone.
require_clone_tools() {
    has git || fail "git is missing: sudo apt-get install git"
    has perl || fail "perl is missing: sudo apt-get install perl"
    [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ] ||
        fail "this is no clone: the folder $root is not the root of a git repository"
}

# Fails where something is not committed: it could be lost, or be taken for a part of the change.
require_clean_tree() {
    [ -z "$(git status --porcelain)" ] ||
        fail "there are changes that are not committed: commit them, or put them away with git stash --include-untracked"
}

# Fails where a name cannot be that of a package, a database, an image and a Kubernetes object.
refuse_name() {
    local name=$1 identifier=${1//-/_}
    [[ $name =~ ^[a-z][a-z0-9]*(-[a-z0-9]+)*$ ]] ||
        fail "\`$name\` is no name: it takes lower-case letters, digits and single hyphens, and begins with a letter, such as my-app"
    [ ${#name} -le 40 ] || fail "\`$name\` is too long: a name has at most 40 characters"
    case " $reserved_words " in
        *" $identifier "*) fail "\`$name\` is a reserved word of Rust, Cargo or PostgreSQL: choose another, such as $name-app" ;;
    esac
    case "$name" in
        backend) fail "\`backend\` is the name that the template has" ;;
        pg-*) fail "\`$name\` begins with pg-, which PostgreSQL keeps for its own roles" ;;
    esac
    if grep -q "^name = \"$name\"$" Cargo.lock; then
        fail "\`$name\` is the name of a package that this project uses: choose another, such as $name-app"
    fi
}

# The words that rustc, Cargo and PostgreSQL keep for themselves.
reserved_words="abstract alloc all analyse analyze and any array as asc async asymmetric authorization await become binary both box \
break build case cast check collate collation column concurrently const constraint continue core crate create cross current_catalog \
current_date current_role current_schema current_time current_timestamp current_user debug default deferrable deps desc distinct \
do dyn else end enum examples except extern false fetch fn final for foreign freeze from full gen grant group having if ilike impl in \
incremental initially inner intersect into is isnull join lateral leading left let like limit localtime localtimestamp loop macro match \
mod move mut natural not notnull null offset on only or order outer overlaps override placing postgres primary priv proc_macro pub \
public ref references release return returning right select self session_user similar some static std struct super symmetric \
system_user table tablesample template0 template1 test then to trailing trait true try type typeof union unique unsafe unsized \
use user using variadic verbose virtual when where while window with yield"

# Writes the file of the clone: the address of the template, its commit, and the arguments of ./scripts/new.
write_clone_file() {
    {
        printf '# The template of this project, its commit that is merged here, and the arguments of ./scripts/new. Read and\n'
        printf '# written by ./scripts/update.\n'
        printf 'template=%s\ncommit=%s\narguments=%s\n' "$1" "$2" "$3"
    } >"$clone_file"
}

# Prints a value of the file of the clone.
clone_value() { sed -n "s/^$1=//p" "$clone_file"; }
