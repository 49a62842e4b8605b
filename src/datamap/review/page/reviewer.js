// Who reviews: a name that this browser remembers.

const STORED = "datamap.reviewer";

export const reviewer = {
  name: "",
  begin(preset) {
    try {
      this.name = localStorage.getItem(STORED) || preset;
    } catch {
      // no storage
      this.name = preset;
    }
  },
  rename(name) {
    this.name = name;
    try {
      localStorage.setItem(STORED, name);
    } catch {
      /* no storage: for this visit */
    }
  },
};
