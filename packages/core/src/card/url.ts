/** The page where people see a request. */
export function requestUrlOf(publicUrl: string, requestId: string): string {
  return `${publicUrl}/requests/${requestId}`;
}
