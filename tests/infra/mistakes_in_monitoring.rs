//! Mistakes in what is logged, kept, shown and watched.

use crate::mistakes::Mistake;

pub(crate) const MISTAKES: [Mistake; 2] = [
    // What is kept.
    (
        "host.json",
        "\"Host.Function.Console\": \"Information\"",
        "\"Host.Function.Console\": \"Warning\"",
        "/logging/logLevel/Host.Function.Console must be",
    ),
    (
        "host.json",
        "\"Host.Results\": \"Error\"",
        "\"Host.Results\": \"Information\"",
        "/logging/logLevel/Host.Results must be",
    ),
];
