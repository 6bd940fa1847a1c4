//! Where the figures go, and on what machine they were measured.

use std::fs;
use std::path::Path;

use shared::clock::{Clock, SystemClock};

const TABLES: &str = "target/bench/table.md";
const PLOT: &str = "target/bench/performance.svg";
const DOCUMENT: &str = "docs/performance.md";
const PLOT_OF_DOCUMENT: &str = "docs/performance.svg";

/// What surrounds the figures in the document.
const BEGIN: &str = "<!-- From here on written by tests/bench/run --record. -->\n";
const END: &str = "<!-- Up to here. -->\n";

/// Writes the figures; into the document too if they are to be `recorded`.
pub(crate) fn write(text: &str, plot: &str, recorded: bool) {
    fs::write(TABLES, text).unwrap();
    fs::write(PLOT, plot).unwrap();
    if recorded {
        let document = fs::read_to_string(DOCUMENT).unwrap();
        fs::write(DOCUMENT, with_figures(&document, text)).unwrap();
        fs::write(PLOT_OF_DOCUMENT, plot).unwrap();
    }
}

fn with_figures(document: &str, text: &str) -> String {
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    format!("{before}{BEGIN}\n{}\n\n{END}{after}", text.trim_end())
}

/// How busy the machine has been, on average over a minute.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap();
    text.split(' ').next().unwrap().to_owned()
}

/// The machine, the day, and what else it did.
pub(crate) fn machine(busy_before: &str, quick: bool) -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap();
    let models = processors.lines().filter_map(|line| line.strip_prefix("model name"));
    let models: Vec<&str> = models.map(|rest| rest.trim_start_matches(['\t', ' ', ':'])).collect();
    let command = if quick {
        "tests/bench/run --quick` (one round, and one second to warm up: no more than a hint)"
    } else {
        "tests/bench/run`"
    };
    let system = fs::read_to_string(Path::new("/proc/sys/kernel/osrelease")).unwrap();
    format!(
        "`{command} on {}, {} cores of {}, Linux {}; load average {busy_before} before and {} \
         after it. In parentheses: how many times the figure of bare axum.",
        SystemClock.now().to_date(),
        models.len(),
        models[0],
        system.trim(),
        load_average(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_take_the_place_of_the_ones_before_them() {
        let document = format!("# A\n\n{BEGIN}\nold\n\n{END}\nend\n");

        let recorded = with_figures(&document, "new\n");

        assert_eq!(recorded, format!("# A\n\n{BEGIN}\nnew\n\n{END}\nend\n"));
        assert_eq!(with_figures(&recorded, "new\n"), recorded);
    }
}
