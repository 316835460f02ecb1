/**
 * The whole script of the popup's last page: posts the message to the origin that the page names, never to `*`, and
 * closes the window. The page is an error page until it finds an opener. Constant, so that the CSP can hold its hash.
 */
export const openerScript =
  "const m=document.getElementById('web-message');const o=window.opener;" +
  'if(o&&!o.closed){m.nextElementSibling.hidden=true;m.hidden=false;' +
  'o.postMessage(JSON.parse(m.dataset.message),m.dataset.origin);window.close()}';
