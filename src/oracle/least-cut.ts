/**
 * Minimum cut of a small directed graph, by shortest augmenting paths (Edmonds and Karp, Journal of the ACM 19(2), 1972).
 * The graph is a dense matrix of capacities, so a cut takes O(n^3) a path: meant for tens of nodes.
 */

/** Capacity of an edge that no cut may cross. */
export const UNCUTTABLE = Number.POSITIVE_INFINITY;

export interface Cut {
  /** Sum of the capacities from the source's side to the other. */
  readonly capacity: number;
  /** Is node i on the source's side? The smallest such side of all minimum cuts. */
  readonly sourceSide: readonly boolean[];
}

/** The least cut between two nodes; `capacities[i][j]` >= 0 is that of the edge i -> j. Some finite cut must exist. */
export function leastCut(capacities: readonly (readonly number[])[], source: number, sink: number): Cut {
  const residual = capacities.map((row) => [...row]);
  let capacity = 0;
  for (;;) {
    const parents = searchFrom(residual, source);
    if (parents[sink] === undefined) return { capacity, sourceSide: parents.map((parent) => parent !== undefined) };
    capacity += augment(residual, parents, source, sink);
  }
}

/** Breadth first over edges with capacity left: the node that each node was reached from, undefined where it was not. */
function searchFrom(residual: readonly (readonly number[])[], source: number): readonly (number | undefined)[] {
  const parents: (number | undefined)[] = residual.map(() => undefined);
  parents[source] = source;
  const queue = [source];
  for (const node of queue) {
    residual[node]!.forEach((left, next) => {
      if (left === 0 || parents[next] !== undefined) return;
      parents[next] = node;
      queue.push(next);
    });
  }
  return parents;
}

/** Sends as much as the path found can carry, and says how much. */
function augment(residual: number[][], parents: readonly (number | undefined)[], source: number, sink: number): number {
  const edges: (readonly [number, number])[] = [];
  for (let node = sink; node !== source; node = parents[node]!) edges.push([parents[node]!, node]);
  const flow = Math.min(...edges.map(([from, to]) => residual[from]![to]!));
  for (const [from, to] of edges) {
    residual[from]![to]! -= flow;
    residual[to]![from]! += flow;
  }
  return flow;
}
