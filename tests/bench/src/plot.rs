//! The figures as a picture: for each server, what a request, a start and rest take. It reads well on
//! light and on dark pages.

use std::fmt::Write;

use crate::figures::{Figures, Starts};
use crate::table::number;

/// Where the bars of the first panel begin.
const NAMES: f64 = 200.0;
const PANEL: f64 = 205.0;
/// The longest bar; what is left of its panel is for the number behind it.
const LONGEST: f64 = 130.0;
const HEAD: f64 = 34.0;
const ROW: f64 = 26.0;
const BAR: f64 = 14.0;

/// The load whose processor time is shown: 64 connections.
const SHOWN: usize = 2;

const STYLE: &str = "
  text { font: 13px system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328; }
  .head { font-weight: 600; }
  .own { fill: #0969da; }
  .other { fill: #afb8c1; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .own { fill: #4493f8; }
    .other { fill: #656c76; }
  }
";

/// What one panel shows: its title, its unit, and a figure for each server.
struct Panel {
    title: &'static str,
    unit: &'static str,
    figures: Vec<f64>,
}

/// The picture, as SVG.
pub(crate) fn plot(figures: &Figures) -> String {
    let names: Vec<&str> = figures.requests.iter().map(|requests| requests.server).collect();
    let panels = panels(figures);
    let width = NAMES + PANEL * panels.len() as f64;
    let height = HEAD + ROW * names.len() as f64 + 6.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\">\n\
         <title>Processor time of a request, cold start and memory at rest of MCP servers</title>\n\
         <style>{STYLE}</style>\n"
    );
    for (row, name) in names.iter().enumerate() {
        let (x, y) = (NAMES - 12.0, baseline(row));
        writeln!(svg, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{name}</text>").unwrap();
    }
    for (column, panel) in panels.iter().enumerate() {
        draw(&mut svg, NAMES + PANEL * column as f64, panel, &names);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panels(figures: &Figures) -> [Panel; 3] {
    let bare = &figures.requests[0];
    let requests = figures.requests.iter();
    let processor = requests.map(|own| own.compared(bare, SHOWN, |load| load.processor).figure);
    let starts = &figures.starts;
    [
        Panel { title: "CPU a request", unit: "\u{b5}s", figures: processor.collect() },
        Panel {
            title: "cold start",
            unit: "ms",
            figures: starts.iter().map(Starts::milliseconds).collect(),
        },
        Panel {
            title: "memory at rest",
            unit: "MB",
            figures: starts.iter().map(Starts::megabytes).collect(),
        },
    ]
}

fn draw(svg: &mut String, x: f64, panel: &Panel, names: &[&str]) {
    let Panel { title, unit, figures } = panel;
    writeln!(svg, "<text class=\"head\" x=\"{x}\" y=\"18\">{title}, {unit}</text>").unwrap();
    let largest = figures.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    for (row, (figure, name)) in figures.iter().zip(names).enumerate() {
        let class = if name.starts_with("mcp-fn") { "own" } else { "other" };
        // One that is hardly there is still seen.
        let width = (figure / largest * LONGEST).max(1.5);
        let (top, label) = (baseline(row) - BAR + 2.5, x + width + 6.0);
        writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{top}\" width=\"{width:.1}\" height=\"{BAR}\" \
             rx=\"2\"/>\n<text x=\"{label:.1}\" y=\"{}\">{}</text>",
            baseline(row),
            number(*figure)
        )
        .unwrap();
    }
}

/// Where the text of a row stands.
fn baseline(row: usize) -> f64 {
    HEAD + ROW * row as f64 + 16.0
}
