//! The figures as tables in Markdown. What stands in parentheses are ratios to the bare server.

use std::fmt::Write;

use crate::figures::{
    CONNECTIONS, Compared, Figures, Requests, SigningIn, Starts, Streams, median,
};
use crate::load::Load;

/// All tables.
pub(crate) fn tables(figures: &Figures) -> String {
    [
        requests(&figures.requests),
        latencies(&figures.requests),
        starts(&figures.starts),
        streams(&figures.streams),
        sign_ins(&figures.sign_ins),
    ]
    .join("\n")
}

fn requests(servers: &[Requests]) -> String {
    let mut table = String::from(
        "| `tools/call` | CPU a request, \u{b5}s, at 1 | 16 | 64 | 256 | requests/s at 1 | 16 | 64 | 256 |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for server in servers {
        let cells = |figure: fn(&Load) -> f64| {
            let indices = 0..CONNECTIONS.len();
            let cells = indices.map(|index| cell(server.compared(&servers[0], index, figure)));
            cells.collect::<Vec<_>>().join(" | ")
        };
        let (processor, rate) =
            (cells(|load| load.processor), cells(|load| load.requests_per_second));
        writeln!(table, "| {} | {processor} | {rate} |", server.server).unwrap();
    }
    table
}

fn latencies(servers: &[Requests]) -> String {
    let mut table = String::from(
        "| `tools/call` | p50, ms, at 1 | 16 | 64 | 256 | p99, ms, at 1 | 16 | 64 | 256 |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for server in servers {
        let cells = |figure: fn(&Load) -> f64| {
            let indices = 0..CONNECTIONS.len();
            let cells = indices.map(|index| cell(server.compared(&servers[0], index, figure)));
            cells.collect::<Vec<_>>().join(" | ")
        };
        let (median, tail) = (cells(|load| load.median), cells(|load| load.percentile_99));
        writeln!(table, "| {} | {median} | {tail} |", server.server).unwrap();
    }
    table
}

fn starts(servers: &[Starts]) -> String {
    let mut table = String::from("| | cold start, ms | at rest, MB |\n| --- | ---: | ---: |\n");
    for server in servers {
        let (time, bare_time) = (server.milliseconds(), servers[0].milliseconds());
        let (memory, bare_memory) = (server.megabytes(), servers[0].megabytes());
        let time = cell(Compared { figure: time, ratio: time / bare_time });
        let memory = cell(Compared { figure: memory, ratio: memory / bare_memory });
        writeln!(table, "| {} | {time} | {memory} |", server.server).unwrap();
    }
    table
}

fn streams(servers: &[Streams]) -> String {
    let numbers = servers[0].held.iter().map(|held| held.streams);
    let columns = numbers.map(|streams| format!(" kB a stream of {} |", number(streams as f64)));
    let columns = columns.collect::<String>();
    let dashes = " ---: |".repeat(servers[0].held.len());
    let mut table = format!(
        "| HTTP+SSE |{columns} message to event at 16 streams, p50, ms | p99, ms |\n\
         | --- |{dashes} ---: | ---: |\n"
    );
    for server in servers {
        let cells = server.held.iter().zip(&servers[0].held).map(|(held, bare)| {
            let ratio = held.kilobytes / bare.kilobytes;
            format!(" {} |", cell(Compared { figure: held.kilobytes, ratio }))
        });
        let events =
            server.events.map(|events| (number(events.median), number(events.percentile_99)));
        let (median, tail) = events.unwrap_or_default();
        let cells = cells.collect::<String>();
        writeln!(table, "| {} |{cells} {median} | {tail} |", server.server).unwrap();
    }
    table
}

fn sign_ins(systems: &[SigningIn]) -> String {
    let mut table = String::from(
        "| sign-ins, 16 at once | a second | CPU each, \u{b5}s | a second and core |\n\
         | --- | ---: | --- | ---: |\n",
    );
    for system in systems {
        let rate = median(system.rounds.iter().map(|round| round.per_second));
        let processor =
            |index: usize| median(system.rounds.iter().map(|round| round.processor[index]));
        let named = system.processes.iter().enumerate();
        let named = named.map(|(index, name)| format!("{name} {}", number(processor(index))));
        let (named, per_core) = (named.collect::<Vec<_>>().join(", "), 1e6 / processor(0));
        writeln!(
            table,
            "| {} | {} | {named} | {} |",
            system.system,
            number(rate),
            number(per_core)
        )
        .unwrap();
    }
    table
}

fn cell(Compared { figure, ratio }: Compared) -> String {
    format!("{} ({})", number(figure), number(ratio))
}

/// Three digits that mean something, and thousands set apart.
pub(crate) fn number(figure: f64) -> String {
    if figure < 10.0 {
        return format!("{figure:.2}");
    }
    if figure < 100.0 {
        return format!("{figure:.1}");
    }
    let digits = format!("{figure:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_about_three_digits_that_mean_something() {
        let told = [0.123, 9.876, 98.76, 987.6, 98_765.4, 1_234_567.0].map(number);

        assert_eq!(told, ["0.12", "9.88", "98.8", "988", "98,765", "1,234,567"]);
    }
}
