//! "Did you mean": the nearest of what there is to what was written.

/// Words compared at most: a suggestion is a courtesy, not worth a second.
const COMPARED: usize = 10_000;
/// Longest word that is compared, in characters.
const LONGEST: usize = 64;

/// The nearest of `all` to `word`, when one is near: a third of its letters wrong at most.
pub fn nearest<'a>(word: &str, all: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().take(LONGEST).collect();
    let near = |other: &str| {
        let other: Vec<char> = other.to_lowercase().chars().take(LONGEST).collect();
        let far = distance(&word, &other);
        let begins = word.len() >= 2 && other.starts_with(&word);
        (far * 3 <= word.len().max(3) || begins).then_some(far)
    };
    let scored = all
        .into_iter()
        .take(COMPARED)
        .filter_map(|o| near(o).map(|far| (far, o)));
    scored.min_by_key(|(far, _)| *far).map(|(_, o)| o)
}

/// Letters to change, add, drop or swap with their neighbour (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut least = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_finds_what_was_meant() {
        let all = ["health", "memory", "maker", "watts"];
        for (word, meant) in [
            ("heatlh", Some("health")),
            ("memry", Some("memory")),
            ("wats", Some("watts")),
            ("colour", None),
            ("mem", Some("memory")),
        ] {
            assert_eq!(nearest(word, all), meant, "{word}");
        }
    }
}
