//! Cycles: the one question about a graph that is asked in several places. Pure.
//!
//! The graph is "cannot be completed before": a task before those it depends on, a group before its children, and
//! a child before what its groups depend on. A cycle in it is work that can never end.

use std::collections::HashMap;
use std::hash::Hash;

/// The first cycle reachable from `starts`, as the nodes on it with the first one repeated at the end.
///
/// `next` hands the nodes that a node leads to. Depth is bounded by memory only, never by the stack.
pub fn cycle<K, I, N>(starts: I, mut next: N) -> Option<Vec<K>>
where
    K: Copy + Eq + Hash,
    I: IntoIterator<Item = K>,
    N: FnMut(K) -> Vec<K>,
{
    let mut done: HashMap<K, bool> = HashMap::new();
    for start in starts {
        if done.contains_key(&start) {
            continue;
        }
        done.insert(start, false);
        let mut path = vec![(start, next(start))];
        while let Some((node, left)) = path.last_mut() {
            let Some(to) = left.pop() else {
                done.insert(*node, true);
                path.pop();
                continue;
            };
            match done.get(&to) {
                Some(true) => {}
                Some(false) => {
                    let from = path.iter().position(|(node, _)| *node == to).unwrap_or(0);
                    let mut found: Vec<K> = path[from..].iter().map(|(node, _)| *node).collect();
                    found.push(to);
                    return Some(found);
                }
                None => {
                    done.insert(to, false);
                    let leads = next(to);
                    path.push((to, leads));
                }
            }
        }
    }
    None
}

/// A cycle as a sentence shows it.
#[must_use]
pub fn shown(path: &[&str]) -> String {
    const SHOWN: usize = 12;
    if path.len() <= SHOWN {
        return path.join(" → ");
    }
    let (head, tail) = (&path[..SHOWN / 2], &path[path.len() - SHOWN / 2..]);
    format!(
        "{} → … {} more … → {}",
        head.join(" → "),
        path.len() - SHOWN,
        tail.join(" → ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(list: &[(u32, u32)]) -> impl FnMut(u32) -> Vec<u32> + '_ {
        move |node| {
            list.iter()
                .filter(|(from, _)| *from == node)
                .map(|(_, to)| *to)
                .collect()
        }
    }

    #[test]
    fn a_cycle_is_shown_as_the_path_that_closes() {
        let found = cycle([0], edges(&[(0, 1), (1, 2), (2, 3), (3, 1)])).expect("a cycle");
        assert_eq!(found, vec![1, 2, 3, 1]);
    }

    #[test]
    fn two_ways_to_one_place_are_no_cycle() {
        assert_eq!(cycle([0], edges(&[(0, 1), (0, 2), (1, 3), (2, 3)])), None);
    }

    #[test]
    fn a_task_before_itself_is_a_cycle() {
        assert_eq!(cycle([7], edges(&[(7, 7)])), Some(vec![7, 7]));
    }

    #[test]
    fn a_chain_of_a_million_does_not_end_the_stack() {
        let next = |node: u32| if node < 1_000_000 { vec![node + 1] } else { vec![] };
        assert_eq!(cycle([0], next), None);
    }

    /// Kahn's algorithm, another way to the same answer.
    fn has_cycle(nodes: u32, list: &[(u32, u32)]) -> bool {
        let mut left: Vec<u32> = (0..nodes).collect();
        loop {
            let free: Vec<u32> = left
                .iter()
                .copied()
                .filter(|node| !list.iter().any(|(from, to)| from == node && left.contains(to)))
                .collect();
            if free.is_empty() {
                return !left.is_empty();
            }
            left.retain(|node| !free.contains(node));
        }
    }

    #[test]
    fn random_graphs_have_a_cycle_exactly_when_they_cannot_be_peeled() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: u32| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            u32::try_from(seed % u64::from(below)).expect("small")
        };
        let mut cyclic = 0;
        for _ in 0..2_000 {
            let nodes = 2 + random(8);
            let count = random(12);
            let list: Vec<(u32, u32)> = (0..count).map(|_| (random(nodes), random(nodes))).collect();
            let found = cycle(0..nodes, edges(&list));
            assert_eq!(found.is_some(), has_cycle(nodes, &list), "{list:?}");
            if let Some(path) = found {
                cyclic += 1;
                assert_eq!(path.first(), path.last());
                for pair in path.windows(2) {
                    assert!(
                        list.contains(&(pair[0], pair[1])),
                        "{pair:?} is no edge of {list:?}"
                    );
                }
            }
        }
        assert!(cyclic > 200, "the graphs are too tame: {cyclic}");
    }
}
