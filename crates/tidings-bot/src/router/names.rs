//! One or several names or patterns of a route.

/// One or several names or patterns: `"run"`, `["run", "run job"]`, or a `Vec`.
pub trait Names {
    /// Calls `take` with each of them in order.
    fn each(self, take: &mut dyn FnMut(&str));
}

impl Names for &str {
    fn each(self, take: &mut dyn FnMut(&str)) {
        take(self);
    }
}

impl Names for String {
    fn each(self, take: &mut dyn FnMut(&str)) {
        take(&self);
    }
}

impl<T: AsRef<str>, const N: usize> Names for [T; N] {
    fn each(self, take: &mut dyn FnMut(&str)) {
        self.as_slice().each(take);
    }
}

impl<T: AsRef<str>> Names for &[T] {
    fn each(self, take: &mut dyn FnMut(&str)) {
        self.iter().for_each(|name| take(name.as_ref()));
    }
}

impl<T: AsRef<str>> Names for Vec<T> {
    fn each(self, take: &mut dyn FnMut(&str)) {
        self.as_slice().each(take);
    }
}
