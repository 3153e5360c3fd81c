/** The deliveries page, `#/deliveries`, in a browser. */
export class Deliveries {
  constructor(page) {
    this.page = page;
    this.section = page.locator('#deliveries');
    this.rows = this.section.locator('tr[data-delivery]');
    this.panel = this.section.locator('[data-delivery-open]');
    this.timeline = this.panel.getByRole('list', { name: /^The course of delivery/ });
  }

  /** Goes there by the head of the page, and waits until it is told what there is. */
  async visit() {
    await this.page.getByRole('link', { name: 'Deliveries', exact: true }).click();
    await this.live();
  }

  async live() {
    await this.section.locator('[data-feed="live"]').waitFor();
  }

  /** The rows of deliveries with this text. */
  row(text) {
    return this.rows.filter({ has: this.page.locator('[data-column="content"]').getByText(text, { exact: true }) });
  }

  /** Waits until the delivery with this text is in this state. */
  async state(text, state) {
    await this.row(text).locator(`[data-delivery-state="${state}"]`).waitFor();
  }

  /** Opens the delivery with this text; its id. */
  async open(text) {
    const id = await this.row(text).getAttribute('data-delivery');
    await this.row(text).getByRole('link', { name: `Delivery ${id}`, exact: true }).click();
    await this.timeline.waitFor();
    return Number(id);
  }

  /** What the open delivery's course says, step by step. */
  steps() {
    return this.timeline.locator('.step-title').allTextContents();
  }

  /** Away with the mouse: rows do not move under it. */
  async pointElsewhere() {
    await this.page.mouse.move(1, 1);
  }
}
