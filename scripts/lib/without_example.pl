# Takes the example, the module `widgets`, out of a clone: git ls-files | perl scripts/lib/without_example.pl NAME, after
# rename.pl. NAME is the package. Come here when the example is named in a new place, or a rule says that it finds nothing.
#
# The tests of the cache, of outages, of the API and of the measurements need a resource that is cached. They keep it, under
# another name and beside themselves: `washers` in backend/tests/washers, with its migrations. The feature `washers` builds it
# in. Tests switch the feature on, and no other build does. So the program, its database and its API have nothing of it.
# Illustrations in comments and pages get the new name too. CHANGELOG.md keeps its history.

use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use JSON::PP qw(decode_json);

my $package = shift or die "without_example.pl: the package is missing\n";
my ( $path, $text );

sub read_file {
    open my $in, '<:raw', $path or die "without_example.pl: $path: $!\n";
    local $/;
    return scalar <$in>;
}

# In place, so that the file keeps its mode.
sub write_file {
    open my $out, '>:raw', $path or die "without_example.pl: $path: $!\n";
    print {$out} $_[0];
    close $out or die "without_example.pl: $path: $!\n";
}

# Puts $with in the place of $what, which the file has: a rule that finds nothing is wrong.
sub replace {
    my ( $what, $with ) = @_;
    $text =~ s/$what/ref $with ? $with->() : $with/e
        or die "without_example.pl: $path has nothing that looks like $what\n";
}
sub remove { replace( $_, '' ) for @_ }

# The worked example of the README with the superuser of `./scripts/dev` in the place of a washer. The tests of the API run it.
sub show_a_user {
    my ($section) = $text =~ /^(## A miss, a hit, an invalidation\n.*?)(?=^## )/ms
        or die "without_example.pl: $path has no worked example\n";
    my $page = $text;
    $text = $section;
    $text =~ s{washers/1\b}{users/admin}g;
    $text =~ s{washer:1\b}{user:admin}g;
    replace( qr/"owner":"admin","name":"Cog","description":"[^"]*"/, '"username":"admin","name":"admin"' );
    replace( qr/"name": "Cogwheel"/,                                 '"name": "Ada Lovelace"' );
    replace( qr/"owner":"admin","name":"Cogwheel"/,                  '"username":"admin","name":"Ada Lovelace"' );
    replace( qr/^use backend::.*?(?=^```)/ms, <<'RUST' );
use backend::infrastructure::cache::{CachePolicy, Changes, ResourceIdType};

/// The part of a user that everybody may see.
pub const PROFILE: CachePolicy = CachePolicy::new("user").resource_id_name("username").resource_id_type(ResourceIdType::String).expiration(600).shared();

/// A changed user has another view of oneself too. A trigger records the id and the name.
pub const CHANGES: &[Changes] = &[Changes::of("users").with(&["user_id", "username"])
    .ends(&[PROFILE.to_invalidate_extra(&[("me_{user_id}", "profile")])])];
RUST
    replace( qr/^resource\("\/washers.*?(?=^```)/ms, <<'RUST' );
resource("/users/{username}")
    .get(routes::read).cached(cache::PROFILE)
    .patch(routes::update).signed_in().changes(CHANGES)
RUST
    # On the last line, since a README has at most 150.
    replace( qr/\n+\z/, " `./scripts/module add notes text:text pinned:boolean --owned` writes a module with all of it ([Modules](docs/modules.md)).\n\n" );
    my $shown = $text;
    $text = $page;
    replace( qr/\Q$section\E/, sub { $shown } );
}

# Where the files are that are the example.
sub moved {
    local $_ = shift;
    s{backend/src/modules/widgets/}{backend/tests/washers/};
    s{migrations/(\d+)_widgets}{backend/tests/washers/migrations/$1_washers};
    s{widgets}{washers};
    return $_;
}

# The rules of single files, after the words are replaced.
my %in_file = (
    'backend/Cargo.toml' => sub {
        replace( qr/^\[features\]\n/m, <<"TOML" );
[features]
# The resource that the tests work on (tests/washers), which is no part of the program. The dependency on this package itself,
# below, switches it on for tests.
washers = ["service-infrastructure/washers"]
TOML
        replace( qr/^\[dev-dependencies\]\n/m, qq([dev-dependencies]\n$package = { path = ".", features = ["washers"] }\n) );
    },
    'backend/src/infrastructure/Cargo.toml' => sub { replace( qr/^\[features\]\n/m, <<"TOML" ) },
[features]
# The migrations of the resource that the tests work on: the feature of the service turns it on.
washers = []
TOML
    'backend/src/infrastructure/build.rs' => sub {
        replace( qr/^( +println!\("cargo::rerun-if-changed=)(?:\.\.\/)+migrations("\);\n)/m, sub { "$&$1../../tests/washers/migrations$2" } );
    },
    'Cargo.lock' => sub {
        replace( qr/^\[\[package\]\]\nname = "\Q$package\E"\n.*?\n\n/ms, sub {
            my $entry = $&;
            $entry =~ s{^(dependencies = \[\n)(.*?)^\]}{
                my %lines = map { $_ => 1 } split( /^/m, $2 ), qq( "$package",\n);
                $1 . join( '', sort keys %lines ) . ']'
            }mse;
            return $entry;
        } );
    },
    'Cargo.toml' => sub { replace( qr/`washers::WasherRead` reads well where it is imported; `washers::Read`/, '`users::UserRead` reads well where it is imported; `users::Read`' ) },
    'backend/src/modules/mod.rs' => sub {
        remove(qr/^    washers,\n/m);
        replace( qr/^( +)(?=\$\(\$name::configure\(api\);\)\*)/m, sub { qq($1#[cfg(feature = "washers")]\n$1washers::configure(api);\n$1) } );
        replace( qr/\[\$\(\$name::CHANGES\),\*\]/, '[$($name::CHANGES,)* #[cfg(feature = "washers")] washers::CHANGES]' );
        $text .= <<'RUST';

/// The resource that the tests work on, which no other build has: `backend/tests/washers`.
#[cfg(feature = "washers")]
#[path = "../../tests/washers/mod.rs"]
pub mod washers;
RUST
    },
    'backend/src/infrastructure/database/migrations.rs' => sub {
        replace( qr/^( +)let mut migrator = (sqlx::migrate!\("(?:\.\.\/)+migrations"\));\n/m, sub { <<"RUST" } );
$1let migrations = $2;
$1let mut migrator = Migrator::with_migrations(
$1    migrations
$1        .iter()
$1        .chain(tests_migrations().iter())
$1        .cloned()
$1        .collect(),
$1);
RUST
        replace( qr/^    migrator\n\}\);\n/m, <<'RUST' );
    migrator
});

/// The migrations of the resource that the tests work on: none outside test builds.
fn tests_migrations() -> Migrator {
    #[cfg(feature = "washers")]
    return sqlx::migrate!("../../tests/washers/migrations");
    #[cfg(not(feature = "washers"))]
    Migrator::DEFAULT
}
RUST
    },
    'backend/src/infrastructure/database/errors.rs' => sub { $text =~ s/^    \(\n        "washers_\w+",\n.*?^    \),\n//msg or die },
    'backend/src/modules/users/cache.rs' => sub {
        remove( qr/^use crate::modules::washers;\n/m, qr/ Washers record for themselves what a change of a user means for them\./ );
        remove(qr/\n\/\/\/ The washers of a user are deleted with the user\.\npub const DELETION: .*?;\n/s);
        remove(qr/, Invalidation(?=, )|Invalidation, |, Invalidation(?=\})/) if ( () = $text =~ /\bInvalidation\b/g ) == 1;
    },
    'backend/src/modules/users/mod.rs' => sub { replace( qr/\.ends\(cache::DELETION\)/, '.changes(CHANGES)' ) },
    'backend/src/modules/users/service.rs' => sub {
        remove( qr/^use crate::modules::washers;\n/m, qr/ and washers(?=: users may delete)/, qr/^.*washers::delete_all_of\(.*\n/m );
    },
    # What the deletion of a user ends is no longer what the module of the tests has.
    'backend/tests/api/routes.rs' => sub { remove(qr/^        "washer:\{washer_id\}",\n        "group washer_search",\n/m) },
    'migrations/0005_cache_changes.up.sql' => sub { replace( qr/"washer_id": \["7"\], "owner"/, '"user_id": ["7"], "username"' ) },
    'scripts/new' => sub { $text =~ s/^.*washer.*\n//mg },
    'backend/tests/scripts/main.rs' => sub { remove(qr/^mod without_washers;\n/m) },
    'scripts/lib/queries.sh'    => sub { replace( qr/check --lib$/m, 'check --lib --features washers' ) },
    'scripts/bench'             => sub { replace( qr/--bin "\$program" /, '--bin "$program" --features "$program/washers" ' ) },
    'scripts/dev'               => sub {
        remove( qr/^.*seed\.sql\n/m, qr/^.*washers\?q=cog.*\n/m );
        replace( qr{washers/1  }, 'users/admin  ' );
    },
    'docs/openapi.json' => sub {
        my $api = JSON::PP->new->utf8->decode($text);
        for my $of ( $api->{paths}, $api->{components}{schemas} ) {
            delete $of->{$_} for grep { /washer/i } keys %$of;
        }
        $api->{tags} = [ grep { $_->{name} ne 'washers' } @{ $api->{tags} } ];
        # What the deletion of a user ends.
        for my $ended ( map { $_->{'x-cache'}{invalidates} || () } map { grep { ref eq 'HASH' } values %$_ } values %{ $api->{paths} } ) {
            $_ = [ grep { !/washer/ } @$_ ] for grep { ref eq 'ARRAY' } values %$ended;
        }
        $text = JSON::PP->new->utf8->canonical->indent->indent_length(2)->space_after->encode($api);
    },
    'README.md' => sub {
        replace( qr/users, sign-in and washers/, 'users and sign-in' );
        replace( qr/a superuser and a few washers/, 'a superuser' );
        show_a_user();
        remove(qr/:<br>\[!\[[^]]*\]\(docs\/console\.png\)\]\(docs\/console\.md\)/);
        remove(qr/`--without-washers` without the example; /);
        replace( qr/ take `washers` as the example for more,/, '' );
    },
    'AGENTS.md' => sub { replace( qr/api washers/, 'api login' ) },
    'docs/accounts.md' => sub {
        remove( qr/, and its washers are in no list, search or count/, qr/, with the washers that were deleted with it/ );
        remove( qr/^ *UPDATE washers .*?;\n/ms, qr/^- Washers stay as deleted rows.*?(?=^- )/ms );
    },
    'docs/console.md'       => sub { remove(qr/^!\[[^]]*\]\(console\.png\)\n\n/m) },
    'docs/database-feed.md' => sub { replace( qr/users and\nwashers/, "users\nand modules" ) },
    'docs/modules.md' => sub {
        replace( qr/`backend\/tests\/washers` has both/, '`backend/tests/washers`, the resource of the tests, has both' );
        replace( qr/A deletion of a user ends the cached washers of the user:\n`washers` exports its `CHANGES`, and `users` adds them/,
            "If a deletion of a user also ends what a\nmodule `notes` caches, `notes` exports its `CHANGES`, and `users` adds them" );
        replace( qr/washers::CHANGES/, 'notes::CHANGES' );
    },
    'docs/life-of-a-clone.md' => sub {
        remove(qr/ +# or with --without-washers: see below/);
        replace( qr/^## Without the example\n.*?(?=^## )/ms, <<'TEXT' );
## The resource of the tests

The tests of the cache, of outages, of the API and `./scripts/bench` work on a resource that is no part of the program: `washers`, in
`backend/tests/washers`, with migrations of its own. The feature `washers` builds it in. Tests switch it on, and no other build does.
`./scripts/dev` and a release have neither its routes nor its table; the program in `target/debug` after a test has both, until it is built
anew. To see how a larger module is made, look there.

TEXT
    },
);

# The picture shows widgets.
my %removed = map { $_ => 1 }
    qw(docs/console.png scripts/lib/seed.sql scripts/lib/without_example.pl backend/tests/scripts/without_widgets.rs);

my @paths = <STDIN>;
chomp @paths;
for (@paths) {
    next if !-f $_ || -l $_ || $_ eq 'CHANGELOG.md';
    if ( $removed{$_} ) {
        unlink $_ or die "without_example.pl: $_: $!\n";
        next;
    }
    next if -B $_;
    $path = $_;
    my $before = read_file();
    $text = $before;
    for ($text) {
        s{modules/widgets(?=/service\.rs)}{backend/tests/washers} if $path =~ m{^docs/};
        s{backend/src/modules/widgets}{backend/tests/washers}g if $path =~ m{^docs/};
        s{migrations/(\d+)_widgets}{backend/tests/washers/migrations/$1_washers}g;
        s/widget/washer/g;
        s/Widget/Washer/g;
        s/WIDGET/WASHER/g;
    }
    my $rules = delete $in_file{$path};
    $rules->() if $rules;
    my $to = moved($path);
    if ( $path =~ m{^\.sqlx/} && $text ne $before ) {
        # The file is named after the text of the query.
        my $hash = sha256_hex( JSON::PP->new->decode($text)->{query} );
        $text =~ s/("hash": ")[0-9a-f]{64}"/$1$hash"/;
        $to = ".sqlx/query-$hash.json";
    }
    if ( $to ne $path ) {
        make_path( dirname($to) );
        rename $path, $to or die "without_example.pl: $path: $!\n";
        # Git keeps no empty folder. It would still be taken for a module.
        rmdir dirname($path);
        $path = $to;
    }
    write_file($text) if $text ne $before;
}
die 'without_example.pl: there is no file ' . join( ', ', sort keys %in_file ) . "\n" if %in_file;

# The washers of a user are deleted with the user, and come back so. The program knows nothing of them, so a trigger does it.
sub extend {
    ( $path, my $begin, my $end ) = @_;
    write_file( $begin . read_file() . $end );
}
extend( 'backend/tests/washers/migrations/0007_washers_changes.up.sql', '', <<'SQL' );

-- The washers of a user are deleted with the user, and come back with the user. The program knows nothing of them.
CREATE FUNCTION delete_washers_with_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.deleted_at IS NULL THEN
        UPDATE washers SET deleted_at = NULL WHERE owner_id = NEW.id AND deleted_at = OLD.deleted_at;
    ELSE
        UPDATE washers SET deleted_at = NEW.deleted_at WHERE owner_id = NEW.id AND deleted_at IS NULL;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER washers_deleted_with_user AFTER UPDATE ON users FOR EACH ROW
    WHEN (OLD.deleted_at IS DISTINCT FROM NEW.deleted_at)
    EXECUTE FUNCTION delete_washers_with_user();
SQL
extend( 'backend/tests/washers/migrations/0007_washers_changes.down.sql', <<'SQL', '' );
DROP TRIGGER washers_deleted_with_user ON users;
DROP FUNCTION delete_washers_with_user();
SQL
