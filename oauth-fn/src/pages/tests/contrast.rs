//! That the colours of both schemes can be told apart (WCAG 2.2, 1.4.3 and 1.4.11, level AA).

use std::collections::HashMap;

use crate::pages::STYLE;

/// What stands on what, and how far apart they must be: 4.5 for text, 3 for edges and outlines.
const PAIRS: [(&str, &str, f64); 17] = [
    ("text", "ground", 4.5),
    ("text", "surface", 4.5),
    ("text", "inset", 4.5),
    ("quiet", "surface", 4.5),
    ("quiet", "inset", 4.5),
    ("accent", "surface", 4.5),
    ("on-accent", "accent", 4.5),
    ("on-accent", "accent-hover", 4.5),
    ("warning-text", "warning", 4.5),
    ("accent", "ground", 3.0),
    ("accent", "inset", 3.0),
    ("accent-hover", "surface", 3.0),
    ("edge", "surface", 3.0),
    ("edge", "inset", 3.0),
    ("warning-edge", "warning", 3.0),
    ("warning-edge", "inset", 3.0),
    ("yes", "surface", 3.0),
];

#[test]
fn colours_contrast_enough_in_light_and_in_dark() {
    let (light, dark) = STYLE.split_once("prefers-color-scheme: dark").unwrap();

    for (scheme, style) in [("light", light), ("dark", dark)] {
        let colours = colours(style);
        for (front, back, least) in PAIRS {
            let contrast = contrast(colours[front], colours[back]);
            assert!(contrast >= least, "{scheme}: {front} on {back} is {contrast:.2}:1");
        }
    }
}

/// The colours that `style` names, as relative luminances.
fn colours(style: &str) -> HashMap<&str, f64> {
    let named = style.lines().filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"));
    named.map(|(name, hex)| (name, luminance(hex.trim_end_matches(';')))).collect()
}

fn luminance(hex: &str) -> f64 {
    let channel = |from: usize| {
        let value = f64::from(u8::from_str_radix(&hex[from..from + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}

fn contrast(one: f64, other: f64) -> f64 {
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}
