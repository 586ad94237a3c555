//! Colours: cividis for numbers, one fill for each class, and ink that can be read on each.

use rack::elevation::Class;

/// Red, green and blue.
pub type Rgb = [u8; 3];

/// The one sequential palette: cividis (Nuñez, Anderton, Renslow 2018), which reads alike with and without colour
/// vision; the polynomial of d3-scale-chromatic (ISC), as in the console.
pub fn cividis(shade: f64) -> Rgb {
    let t = if shade.is_finite() { shade.clamp(0.0, 1.0) } else { 0.0 };
    let byte = |value: f64| value.round().clamp(0.0, 255.0) as u8;
    [
        byte(-4.54 - t * (35.34 - t * (2381.73 - t * (6402.7 - t * (7024.72 - t * 2710.57))))),
        byte(32.49 + t * (170.73 + t * (52.82 - t * (131.46 - t * (176.58 - t * 67.37))))),
        byte(81.24 + t * (442.36 - t * (2482.43 - t * (6167.24 - t * (6614.94 - t * 2475.67))))),
    ]
}

/// Fill of a class, as in the console.
pub fn of_class(class: Class) -> Rgb {
    match class {
        Class::Ok | Class::Free => [0xc5, 0xd3, 0xdc],
        Class::Used => [0x2f, 0x6f, 0x9f],
        Class::Closed => [0x6f, 0x74, 0x79],
        Class::Unknown => [0x8f, 0x92, 0x97],
        Class::Warning => [0xf0, 0xb4, 0x29],
        Class::Critical => [0xb3, 0x26, 0x1e],
    }
}

/// What tells a class without its colour.
pub fn shape(class: Class) -> &'static str {
    match class {
        Class::Ok => "✓",
        Class::Used => "■",
        Class::Free => "□",
        Class::Closed => "–",
        Class::Unknown => "?",
        Class::Warning => "▲",
        Class::Critical => "✖",
    }
}

/// As SVG writes it.
pub fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Relative luminance (WCAG 2.2).
fn luminance(colour: Rgb) -> f64 {
    let [r, g, b] = colour.map(|byte| {
        let c = f64::from(byte) / 255.0;
        if c <= 0.04045 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Black or white, whichever is read better on a fill: at least 4.58 to 1 on any.
pub fn ink(fill: Rgb) -> Rgb {
    const BLACK: Rgb = [0; 3];
    const WHITE: Rgb = [255; 3];
    if contrast(fill, BLACK) >= contrast(fill, WHITE) {
        BLACK
    } else {
        WHITE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_palette_is_cividis_at_the_steps_that_its_table_has() {
        // matplotlib's table at fifths; the polynomial is a fit to it
        let table = [
            [0, 34, 78],
            [53, 69, 108],
            [102, 105, 112],
            [148, 142, 119],
            [200, 184, 102],
            [254, 232, 56],
        ];
        for (n, told) in table.into_iter().enumerate() {
            let made = cividis(n as f64 / 5.0);
            let off = made
                .iter()
                .zip(told)
                .map(|(a, b): (&u8, u8)| a.abs_diff(b))
                .max()
                .unwrap();
            assert!(off <= 14, "{n}: {made:?} is not {told:?}");
        }
        assert_eq!(cividis(f64::NAN), cividis(0.0));
        assert_eq!(cividis(7.0), cividis(1.0));
    }

    #[test]
    fn darker_is_less_and_everything_can_be_read() {
        let mut before = 0.0;
        for n in 0..=100 {
            let fill = cividis(f64::from(n) / 100.0);
            assert!(contrast(fill, ink(fill)) >= 4.5, "{n}");
            assert!(luminance(fill) >= before - 0.001, "{n}");
            before = luminance(fill);
        }
        for class in [
            Class::Ok,
            Class::Used,
            Class::Closed,
            Class::Unknown,
            Class::Warning,
            Class::Critical,
        ] {
            let fill = of_class(class);
            assert!(contrast(fill, ink(fill)) >= 4.5, "{class:?}");
        }
    }
}
