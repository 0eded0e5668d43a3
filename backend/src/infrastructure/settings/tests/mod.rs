//! Tests of the settings: mistakes, precedence, the namespace. The syntax of `.env`, kinds, files and
//! the written documents have files of their own here.
//!
//! Come here for the message of a mistake, or for the source that wins.

mod document;
mod files;
mod kinds;
mod protection;
mod syntax;
mod traces;

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::variables::all;
use super::*;
use crate::cache::CacheOptions;

/// A name that `scripts/new` does not change.
const PROGRAM: &str = "shopping";

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// The settings of an environment and a `.env` file.
fn load_both(environment: &[(&str, &str)], file: &str) -> Result<Settings, SettingsError> {
    Settings::from_sources(PROGRAM, values(environment), Some(file.as_bytes()))
}

/// The settings of an environment alone.
fn load(environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::from_sources(PROGRAM, values(environment), None)
}

/// The mistakes of an environment and a `.env` file.
fn mistakes_of_both(environment: &[(&str, &str)], file: &str) -> Vec<String> {
    load_both(environment, file)
        .err()
        .map(|error| error.mistakes)
        .unwrap_or_default()
}

/// The mistakes of an environment alone.
fn mistakes(environment: &[(&str, &str)]) -> Vec<String> {
    mistakes_of_both(environment, "")
}

#[test]
fn every_mistake_is_reported_at_once_with_its_cure() {
    let mistakes = mistakes(&[
        ("CACHE_BACKEND", "rediss"),
        ("DEFAULT_CACHE_EXPIRATION", "0"),
        ("SERVER_PORT", "99999"),
        ("LOG_LEVEL", "loud"),
        ("CACHE_ENABLED", "maybe"),
        ("CACHE_BACKND", "redis"),
    ]);
    assert_eq!(
        mistakes,
        [
            "CACHE_BACKND is not a variable of this service; did you mean CACHE_BACKEND?",
            "SERVER_PORT holds `99999`; it may hold a port from 0 to 65535",
            "CACHE_ENABLED holds `maybe`; it may hold true or false",
            "CACHE_BACKEND holds `rediss`; it may hold redis, memcached or memory",
            "DEFAULT_CACHE_EXPIRATION holds `0`; it may hold seconds from 1 to 315360000",
            "LOG_LEVEL holds `loud`; it may hold trace, debug, info, warn, error, off, or directives such as \
             info,backend=debug,infrastructure=debug,response_cache=debug",
        ]
    );
}

#[test]
fn secrets_are_never_shown() {
    let mistakes = mistakes(&[
        ("DATABASE_URL", "mysql://root:hunter2@x"),
        ("ADMIN_PASSWORD", "hunter2"),
    ])
    .join("\n");
    assert!(mistakes.contains("DATABASE_URL holds `***`"), "{mistakes}");
    assert!(!mistakes.contains("hunter2"), "{mistakes}");
    assert!(
        !format!(
            "{:?}",
            load(&[("CACHE_REDIS_PASSWORD", "hunter2")]).unwrap()
        )
        .contains("hunter2")
    );
}

#[test]
fn the_environment_wins_over_the_file_and_empty_means_not_set() {
    let settings = load_both(
        &[("SERVER_PORT", "9000"), ("SERVER_HOST", "")],
        "SERVER_PORT=7000\nSERVER_HOST=0.0.0.0\n",
    )
    .unwrap();
    assert_eq!(
        (
            settings.server.server_port,
            settings.server.server_host.as_str()
        ),
        (9000, "0.0.0.0")
    );
}

#[test]
fn port_is_understood_where_server_port_is_not_set() {
    let port = |environment: &[(&str, &str)], file: &str| {
        load_both(environment, file).unwrap().server.server_port
    };
    assert_eq!(port(&[("PORT", "5000")], ""), 5000);
    assert_eq!(port(&[], "PORT=5000"), 5000);
    assert_eq!(port(&[("PORT", "5000"), ("SERVER_PORT", "7000")], ""), 7000);
    assert_eq!(port(&[("PORT", "5000")], "SERVER_PORT=7000"), 7000);
    assert_eq!(
        port(&[("PORT", "nonsense"), ("SERVER_PORT", "7000")], ""),
        7000,
        "a shell may hold anything under so common a name"
    );
    assert_eq!(
        mistakes(&[("PORT", "tcp://10.0.0.1:80")]),
        ["PORT holds `tcp://10.0.0.1:80`; it may hold a port from 0 to 65535"]
    );
}

#[test]
fn the_management_port_is_another_one_than_that_of_the_api() {
    let port = |environment: &[(&str, &str)]| load(environment).unwrap().server.management_port;
    assert_eq!(port(&[]), None);
    assert_eq!(port(&[("MANAGEMENT_PORT", "9000")]), Some(9000));
    let any = [("MANAGEMENT_PORT", "0"), ("SERVER_PORT", "0")];
    assert_eq!(port(&any), Some(0), "any free ports are two ports");
    for (name, number) in [
        ("SERVER_PORT", "9000"),
        ("PORT", "9000"),
        ("SERVER_PORT", ""),
    ] {
        let taken = if number.is_empty() { "8000" } else { number };
        assert_eq!(
            mistakes(&[("MANAGEMENT_PORT", taken), (name, number)]),
            [format!(
                "MANAGEMENT_PORT holds `{taken}`, which is the port of {name}; it may hold another port"
            )]
        );
    }
}

#[test]
fn a_namespace_is_made_of_program_and_environment_where_none_is_set() {
    let namespace = |environment: &[(&str, &str)]| load(environment).unwrap().cache.cache_namespace;
    assert_eq!(namespace(&[]), "shopping-development");
    assert_eq!(
        namespace(&[("CACHE_NAMESPACE", "")]),
        "shopping-development"
    );
    assert_eq!(
        namespace(&[("ENVIRONMENT", "production")]),
        "shopping-production"
    );
    assert_eq!(namespace(&[("CACHE_NAMESPACE", "shop")]), "shop");
}

#[test]
fn in_production_a_missing_namespace_of_a_shared_server_is_a_warning() {
    let warnings = |backend: &str, namespace: &str| {
        let environment = [
            ("ENVIRONMENT", "production"),
            ("CACHE_BACKEND", backend),
            ("CACHE_NAMESPACE", namespace),
        ];
        load(&environment).unwrap().warnings.concat()
    };
    assert!(warnings("redis", "").starts_with("CACHE_NAMESPACE is not set: `shopping-production`"));
    assert_eq!(warnings("redis", "shop"), "");
    assert_eq!(warnings("memory", ""), "");
}

#[test]
fn an_unknown_name_in_the_file_is_a_mistake() {
    assert_eq!(
        mistakes_of_both(&[], "COLOUR=red"),
        ["COLOUR in line 1 of .env is not a variable of this service; .env.example lists them all"]
    );
}

#[test]
fn a_name_that_an_orchestrator_injects_is_a_warning() {
    let settings = load(&[
        ("CACHE_PORT", "tcp://10.0.0.1:6379"),
        ("HOME", "/root"),
        ("PATH", "/bin"),
    ])
    .unwrap();
    assert_eq!(
        settings.warnings,
        ["CACHE_PORT is set, but is not a variable of this service"]
    );
}

#[test]
fn a_password_of_digits_keeps_its_zeros() {
    let settings = load(&[("CACHE_REDIS_PASSWORD", "007")]).unwrap();
    assert_eq!(settings.cache.cache_redis_password.expose_secret(), "007");
}

#[test]
fn the_administrator_is_given_whole_or_not_at_all() {
    assert_eq!(
        mistakes(&[
            ("ADMIN_USERNAME", "root"),
            ("ADMIN_EMAIL", "root@example.com")
        ]),
        [
            "ADMIN_PASSWORD is not set; ADMIN_USERNAME, ADMIN_EMAIL and ADMIN_PASSWORD belong together"
        ]
    );
}

#[test]
fn the_near_cache_is_refused_without_redis() {
    assert_eq!(
        mistakes(&[("CACHE_NEAR", "true"), ("CACHE_BACKEND", "memory")]),
        ["CACHE_NEAR holds `true`; it may hold true only with CACHE_BACKEND=redis"]
    );
}

#[test]
fn a_size_of_compression_above_what_is_stored_is_said() {
    let warnings = |size| {
        let largest = ("CACHE_MAX_BODY_BYTES", "2047");
        let settings = load(&[("CACHE_COMPRESS_MIN_BYTES", size), largest]).unwrap();
        settings.warnings.concat()
    };
    let expected = "CACHE_COMPRESS_MIN_BYTES holds `2048`: nothing is compressed, because answers above `2047` bytes";
    assert!(warnings("2048").starts_with(expected));
    assert_eq!(warnings("2047"), "");
    assert_eq!(warnings("0"), "");
}

fn any_name() -> impl Strategy<Value = &'static str> {
    let names: Vec<_> = all().map(|variable| variable.name).collect();
    prop::sample::select(names)
}

proptest! {
    #[test]
    fn no_value_of_any_variable_panics(name in any_name(), value in "\\PC{0,40}") {
        let result = load(&[(name, &value)]);
        if let Err(error) = result {
            prop_assert!(error.to_string().contains(name));
        }
    }

    #[test]
    fn a_name_with_one_letter_missing_is_a_mistake_that_names_the_right_one(
        name in any_name(), at in any::<prop::sample::Index>(),
    ) {
        let mut name = name.to_owned();
        name.remove(at.index(name.len()));
        prop_assume!(variables::find(&name).is_none());
        prop_assert!(mistakes(&[(&name, "1")]).join("").contains("did you mean"));
    }
}

#[test]
fn c61_a_list_of_memcached_servers_replaces_host_and_port() {
    let servers = ("CACHE_MEMCACHED_SERVERS", "a:11211,B:11212");
    let options =
        |environment: &[(&str, &str)]| CacheOptions::from(&load(environment).unwrap().cache);
    let names = |options: CacheOptions| {
        let servers = options.memcached.servers.iter();
        servers.map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(names(options(&[servers])), ["a:11211", "b:11212"]);
    let one = [
        ("CACHE_MEMCACHED_HOST", "c"),
        ("CACHE_MEMCACHED_SERVERS", ""),
    ];
    assert_eq!(names(options(&one)), ["c:11211"]);
    for name in ["CACHE_MEMCACHED_HOST", "CACHE_MEMCACHED_PORT"] {
        let both = mistakes_of_both(&[servers, (name, "11211")], "");
        let expected = format!(
            "{name} and CACHE_MEMCACHED_SERVERS are both set; CACHE_MEMCACHED_SERVERS replaces {name}, so remove one of them"
        );
        assert_eq!(both, [expected]);
    }
    let wrong = mistakes_of_both(&[("CACHE_MEMCACHED_SERVERS", "a:11211,a:11211")], "");
    assert!(wrong[0].starts_with("CACHE_MEMCACHED_SERVERS"), "{wrong:?}");
}
