/** Something that the page shows and that changes by itself. Many changes in a row are told once a frame. */

const LATEST_MS = 50;

export class Watched {
  private watchers = new Set<() => void>();
  private planned = false;

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  protected changed(): void {
    if (this.planned) return;
    this.planned = true;
    let told = false;
    const tell = (): void => {
      if (told) return;
      told = true;
      this.planned = false;
      for (const watcher of [...this.watchers]) watcher();
    };
    requestAnimationFrame(tell);
    setTimeout(tell, LATEST_MS); // a page in the background gets no frames
  }
}
