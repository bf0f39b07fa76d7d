/** True if the event is somebody writing a text, or a shortcut of the browser. */
export function typing(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  return event.ctrlKey || event.metaKey || event.altKey || target.isContentEditable ||
    /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}
