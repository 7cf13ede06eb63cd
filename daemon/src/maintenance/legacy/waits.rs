//! Which dependencies can be kept, so that no work waits for itself. Pure.
//!
//! A task has a beginning and an end. An end waits for its own beginning and for the ends of all below; a beginning waits
//! for that of its group and for the ends of what the task comes after. So a cycle here is one that the task room
//! refuses (`task/view.rs`). What must stay true: the work is bounded, whatever the graph.

/// The most steps that are spent on telling the good edges of cycles from the bad ones.
const STEPS: usize = 50_000_000;

/// Tasks by number, and what they belong to.
pub struct Groups<'a> {
    /// The group of each; without a cycle.
    pub parents: &'a [Option<usize>],
    /// What is fixed: a task, and what it comes after.
    pub fixed: &'a [(usize, usize)],
}

/// For each wish (a task, and what it is to come after), whether it can be kept beside those before it.
#[must_use]
pub fn kept(groups: &Groups<'_>, wishes: &[(usize, usize)]) -> Vec<bool> {
    let count = groups.parents.len();
    let mut graph: Vec<Vec<usize>> = vec![Vec::new(); 2 * count];
    let (begin, end) = (|task: usize| 2 * task, |task: usize| 2 * task + 1);
    for (task, parent) in groups.parents.iter().enumerate() {
        graph[end(task)].push(begin(task));
        if let Some(parent) = parent {
            graph[end(*parent)].push(end(task));
            graph[begin(task)].push(begin(*parent));
        }
    }
    for (task, on) in groups.fixed {
        graph[begin(*task)].push(end(*on));
    }
    let mut whole = graph.clone();
    for (task, on) in wishes {
        whole[begin(*task)].push(end(*on));
    }
    let knotted = knotted(&whole);
    // An edge of a cycle begins and ends among the knotted ones: all others are kept without a question.
    let harmless = |(task, on): (usize, usize)| !knotted[begin(task)] || !knotted[end(on)];
    for (task, on) in wishes.iter().filter(|wish| harmless(**wish)) {
        graph[begin(*task)].push(end(*on));
    }
    let mut steps = STEPS;
    let mut seen = vec![0_usize; 2 * count];
    let mut verdicts = Vec::with_capacity(wishes.len());
    for (number, wish) in wishes.iter().enumerate() {
        let (task, on) = *wish;
        let keep = harmless(*wish)
            || !reaches(
                (&graph, &knotted),
                (end(on), begin(task)),
                (&mut seen, number + 1),
                &mut steps,
            );
        if keep && !harmless(*wish) {
            graph[begin(task)].push(end(on));
        }
        verdicts.push(keep);
    }
    verdicts
}

/// The nodes from which a cycle can be reached.
fn knotted(graph: &[Vec<usize>]) -> Vec<bool> {
    let mut back: Vec<Vec<usize>> = vec![Vec::new(); graph.len()];
    let mut left: Vec<usize> = graph.iter().map(Vec::len).collect();
    for (node, leads) in graph.iter().enumerate() {
        for to in leads {
            back[*to].push(node);
        }
    }
    let mut free: Vec<usize> = (0..graph.len()).filter(|node| left[*node] == 0).collect();
    let mut knotted = vec![true; graph.len()];
    while let Some(node) = free.pop() {
        knotted[node] = false;
        for from in &back[node] {
            left[*from] -= 1;
            if left[*from] == 0 {
                free.push(*from);
            }
        }
    }
    knotted
}

/// Whether a node leads to another; also when it would take too long to tell.
fn reaches(
    (graph, knotted): (&[Vec<usize>], &[bool]),
    (from, to): (usize, usize),
    (seen, mark): (&mut [usize], usize),
    steps: &mut usize,
) -> bool {
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        if node == to || *steps == 0 {
            return true;
        }
        if std::mem::replace(&mut seen[node], mark) == mark {
            continue;
        }
        *steps = steps.saturating_sub(graph[node].len().max(1));
        open.extend(graph[node].iter().copied().filter(|next| knotted[*next]));
    }
    false
}

/// An order in which each comes after its group and after what it waits for. What is in no order (there is a cycle after
/// all) is left out.
#[must_use]
pub fn order(parents: &[Option<usize>], after: &[Vec<usize>]) -> Vec<usize> {
    use std::collections::BTreeSet;
    let count = parents.len();
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut left = vec![0_usize; count];
    for task in 0..count {
        for before in after[task].iter().chain(&parents[task]) {
            next[*before].push(task);
            left[task] += 1;
        }
    }
    // The lowest number first, so that the order of the old program stays where it can.
    let mut free: BTreeSet<usize> = (0..count).filter(|task| left[*task] == 0).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(task) = free.pop_first() {
        order.push(task);
        for later in &next[task] {
            left[*later] -= 1;
            if left[*later] == 0 {
                free.insert(*later);
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps(parents: &[Option<usize>], wishes: &[(usize, usize)]) -> Vec<bool> {
        kept(&Groups { parents, fixed: &[] }, wishes)
    }

    #[test]
    fn the_edge_that_closes_a_cycle_is_the_one_left_out() {
        let none = [None; 3];
        assert_eq!(keeps(&none, &[(0, 1), (1, 2)]), [true, true]);
        assert_eq!(keeps(&none, &[(0, 1), (1, 0)]), [true, false]);
        assert_eq!(
            keeps(&none, &[(0, 1), (1, 2), (2, 0), (2, 0)]),
            [true, true, false, false]
        );
        assert_eq!(keeps(&none, &[(0, 0)]), [false]);
        let fixed = kept(
            &Groups {
                parents: &none,
                fixed: &[(0, 1)],
            },
            &[(1, 0), (1, 2)],
        );
        assert_eq!(fixed, [false, true]);
    }

    #[test]
    fn a_group_waits_for_what_is_in_it_and_what_is_in_it_for_what_the_group_waits_for() {
        // 1 and 2 are in 0; 3 stands alone.
        let parents = [None, Some(0), Some(0), None];
        assert_eq!(keeps(&parents, &[(1, 0)]), [false], "a child after its own group");
        assert_eq!(keeps(&parents, &[(0, 1)]), [false], "a group after its own child");
        assert_eq!(keeps(&parents, &[(0, 3), (3, 1)]), [true, false]);
        assert_eq!(keeps(&parents, &[(2, 1), (0, 3)]), [true, true]);
        assert_eq!(keeps(&parents, &[(3, 0), (1, 3)]), [true, false]);
    }

    #[test]
    fn a_large_knot_takes_bounded_work() {
        let count = 3000;
        let parents = vec![None; count];
        let mut wishes = Vec::new();
        for task in 0..count {
            for step in 1..40 {
                wishes.push((task, (task + step * 7) % count));
            }
        }
        let verdicts = keeps(&parents, &wishes);
        let good: Vec<(usize, usize)> = wishes
            .iter()
            .zip(&verdicts)
            .filter_map(|(wish, keep)| keep.then_some(*wish))
            .collect();
        assert!(!good.is_empty() && good.len() < wishes.len());
        let mut after = vec![Vec::new(); count];
        good.iter().for_each(|(task, on)| after[*task].push(*on));
        assert_eq!(order(&parents, &after).len(), count, "what is kept has no cycle");
    }

    #[test]
    fn everything_comes_after_its_group_and_what_it_waits_for() {
        let parents = [Some(2), None, None, None];
        let after = [vec![3], vec![], vec![], vec![1]];
        assert_eq!(order(&parents, &after), [1, 2, 3, 0]);
        assert_eq!(order(&[None, None], &[vec![1], vec![0]]), Vec::<usize>::new());
    }
}
