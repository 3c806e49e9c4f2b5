//! Which word was meant: the nearest by edit distance, or the one that it begins with.

/// The word of `known` that `word` most likely stands for, if one is near enough.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = 1 + word.chars().count() / 4;
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit || word.starts_with(candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters must be put in, taken out or exchanged to turn one word into the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (index, from) in one.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        let mut next = vec![left];
        for (to, above) in other.chars().zip(row.iter().skip(1)) {
            let exchanged = diagonal + usize::from(from != to);
            left = exchanged.min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_edits() {
        assert_eq!(distance("version", "version"), 0);
        assert_eq!(distance("verion", "version"), 1);
        assert_eq!(distance("verison", "version"), 2);
        assert_eq!(distance("", "tag"), 3);
        assert_eq!(distance("tag", ""), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn only_a_near_word_is_suggested() {
        let known = ["name", "version", "codec", "crate"];
        assert_eq!(nearest("verison", known), Some("version"));
        assert_eq!(nearest("nam", known), Some("name"));
        assert_eq!(nearest("names", known), Some("name"));
        assert_eq!(nearest("versioning", known), Some("version"));
        assert_eq!(nearest("colour", known), None);
    }
}
