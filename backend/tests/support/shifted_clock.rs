//! A clock that is wrong: a library that the service loads before the C library, and that shifts the time of the day.
//!
//! Come here for a test with clocks that are apart. The monotonic clock stays as it is, as on a machine whose clock was set
//! wrong. It needs Linux and a C compiler, which building the service needs too.

use std::path::PathBuf;
use std::process::Command;

use super::unique;

const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    long failed = syscall(SYS_clock_gettime, clock, now);
    const char *seconds = getenv("TEST_CLOCK_SHIFT");
    if (!failed && seconds && clock == CLOCK_REALTIME) now->tv_sec += atol(seconds);
    return (int)failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    (void)zone;
    struct timespec precise;
    int failed = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *out) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (out) *out = precise.tv_sec;
    return precise.tv_sec;
}
"#;

/// The library, removed with this value.
#[derive(Debug)]
pub struct ShiftedClock {
    directory: PathBuf,
}

impl ShiftedClock {
    /// Compiles the library.
    pub fn build() -> Self {
        let directory = std::env::temp_dir().join(unique("clock"));
        std::fs::create_dir(&directory).expect("a directory");
        let clock = Self { directory };
        let source = clock.directory.join("clock.c");
        std::fs::write(&source, SOURCE).expect("a file");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .args([clock.library(), source])
            .status();
        assert!(compiled.expect("cc").success());
        clock
    }

    /// Put this into the environment of the service as `LD_PRELOAD`, and the seconds as `TEST_CLOCK_SHIFT`.
    pub fn library(&self) -> PathBuf {
        self.directory.join("clock.so")
    }
}

impl Drop for ShiftedClock {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
