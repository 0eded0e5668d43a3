//! The shape of every HTTP answer: errors, request ids, extractors and pages.
