// What lies behind a tab begins when somebody looks there: nothing is asked for visitors who never do.

export function whenSeen(root, begin) {
  root.style.minHeight = '40px'; // what has no height is never seen
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    begin();
  });
  observer.observe(root);
}
