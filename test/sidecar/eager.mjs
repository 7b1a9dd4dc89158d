// Preloaded into a sidecar under test (--import): its waits before it tries again are a hundredth of the longest, so that tests of
// many attempts don't wait by the clock.
Math.random = () => 0.01;
