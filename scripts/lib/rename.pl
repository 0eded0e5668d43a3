# Puts another name in the place of the template's, in the files that are named on standard input, one a line:
# git ls-files | perl scripts/lib/rename.pl NAME. Come here when a file has the program's name in a new place.
#
# The name is that of the package, the program, the database with its roles, the namespace, the image, the manifests and the
# titles. The folder backend/, the library and the container keep theirs, which say what they are; `backend` is also the
# word for a cache server, and the name of the cache in Cache-Status. So every rule names the words around it.

use strict;
use warnings;

my $old = 'backend';
my $name = shift or die "rename.pl: the name is missing\n";
# PostgreSQL wants quotes around a name with a hyphen.
( my $identifier = $name ) =~ tr/-/_/;

# In every file.
sub everywhere {
    # Commands, in texts and messages.
    s/\b$old (?=(?:serve|migrate|check|routes|openapi|settings|create-superuser|completions|cache show)\b)/$name /g;
    s{(target/(?:debug|release)|/usr/local/bin)/$old\b}{$1/$name}g;
    s{(completions/)$old(?=\.fish)}{$1$name}g;
    # The namespace, and what else begins with the name.
    s/\b$old-(?=(?:development|production|migrate)\b)/$name-/g;
    # The image.
    s/\b$old:local\b/$name:local/g;
    s{example\.com/$old:}{example.com/$name:}g;
    # The database and its roles.
    s{(5432/|\@host/)$old\b}{$1$identifier}g;
    s/\b${old}_owner\b/${identifier}_owner/g;
    s{postgres://$old:(?!\$\{POSTGRES_PASSWORD)}{postgres://$identifier:}g;
    # The job of Prometheus.
    s/\b(job=\\?"|job: |job_name: )$old\b/$1$name/g;
}

# In the files of these paths, besides.
my %in_file = (
    'backend/Cargo.toml' => sub { s/^(\[package\]\nname = ")$old"/$1$name"/m },
    'backend/Dockerfile' => sub {
        s/^(ENTRYPOINT \[")$old"/$1$name"/m;
        s/(image\.title=")$old"/$1$name"/;
    },
    'README.md' => sub { s/\A# .*/# $name/ },
    'docs/production.md' => sub {
        s/(--create )$old >$old\.dump/$1$identifier >$name.dump/g;
        s/<$old\.dump/<$name.dump/g;
        s{((?:secret generic |deployment/|/etc/))$old\b}{$1$name}g;
        s/(role `|the role `|TO )$old`/$1$identifier`/g;
    },
    'docs/openapi.json' => sub { s/("title": ")$old"/$1$name"/ },
    'docs/observability.md' => sub { s/(to be called `)$old`/$1$name`/ },
    'docker-compose.yml' => sub {
        s/(CACHE_NAMESPACE: )$old$/$1$name/m;
        s/(--dbname=)$old\b/$1$identifier/;
    },
    'deploy/postgres/roles.sql' => sub { s/(\\set (?:database|service) )$old\b/$1$identifier/g },
    'deploy/grafana/backend.json' => sub {
        s/"$old"/"$name"/g;
        s/("title": ")Backend"/$1$name"/;
    },
    'deploy/prometheus/alerts.yml' => sub { s/^(  - name: )$old$/$1$name/m },
    '.github/workflows/ci.yml' => sub { s/\b$old(?=\.cdx\.json)/$name/g },
    'Cargo.lock' => \&rename_in_lock,
);

# The package of this name moves to its place in the order, which Cargo insists on.
sub rename_in_lock {
    s/^\[\[package\]\]\nname = "$old"\n.*?\n\n//ms or return;
    ( my $package = $& ) =~ s/"$old"/"$name"/;
    s/^ "$old"/ "$name"/gm;
    while (/^\[\[package\]\]\nname = "(.*)"\n/mg) {
        next if $1 lt $name;
        substr( $_, $-[0], 0 ) = $package;
        return;
    }
    $_ .= "\n$package" =~ s/\n\z//r;
}

while ( my $path = <STDIN> ) {
    chomp $path;
    # CHANGELOG.md is the template's history. This file has the old name in its rules.
    next if !-f $path || -l $path || -B $path || $path =~ m{^(?:\.sqlx/|CHANGELOG\.md$|scripts/lib/rename\.pl$)};
    open my $in, '<:raw', $path or die "rename.pl: $path: $!\n";
    my $text = do { local $/; <$in> };
    close $in;
    local $_ = $text;
    everywhere() if $path ne 'Cargo.lock';
    if ( $path =~ m{^deploy/kubernetes/} ) {
        s{(?<![/.\w-])$old(?![/\w.-])}{$name}g;
        s{(/run/secrets/)$old\b}{$1$name}g;
    }
    $in_file{$path}->() if $in_file{$path};
    next if $_ eq $text;
    # In place, so that the file keeps its mode.
    open my $out, '>:raw', $path or die "rename.pl: $path: $!\n";
    print {$out} $_;
    close $out or die "rename.pl: $path: $!\n";
}
