/** The grades of runs: whether a notebook, run from top to bottom, would give a run again (capture/hidden.py). */

export const GRADE_TAG = 'tracknb.grade';
/** From the best to the worst. */
export const GRADES = ['clean', 'dirty git', 'unseeded', 'changed file', 'out of order', 'stale name'];

/** Whether a run depends on what its notebook does not show; changes that are not committed are no such thing. */
export function isDoubtful(grade: string): boolean {
  return GRADES.indexOf(grade) > 1;
}
