"use strict";(()=>{var n="confab-theme",s=["system","light","dark"];function t(){try{let e=localStorage.getItem(n);return s.find(m=>m===e)??
"system"}catch{return"system"}}function o(e){e==="system"?delete document.documentElement.dataset.theme:document.documentElement.
dataset.theme=e}o(t());})();
