/* confab's page, built from web/src. It holds Preact 11.2.0:

The MIT License (MIT)

Copyright (c) 2015-present Jason Miller

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
*/
"use strict";(()=>{var x,Et,so,q,Je,Le,St,Se,Pt,et,Qe,io,_e=Symbol.for("pv"),Ae={},Re=[],ro=/^m(i|n|o|s|text|space)$/,tt=Array.isArray,Ct=Re.
slice,ne=Object.assign;function te(e){e&&e.parentNode&&e.remove()}function Pe(e,t,n,o,i){var r={type:e,props:t,key:n,ref:o,__k:null,__:null,__b:0,__e:null,__c:null,constructor:_e,__v:i||
++Et,__i:-1,__u:0};return!i&&x.vnode&&x.vnode(r),r}function S(e){return e.children}function Ce(e,t){this.props=e,this.context=t,this.__g=0}function X(e,t){if(t==null)return e.
__&&X(e.__,e.__i+1);for(var n;t<e.__k.length;t++)if((n=e.__k[t])&&n.__e)return n.__e;return typeof e.type!="function"||e.
props.__P?null:X(e)}function ao(e){var t,n=e.__v,o=n.__e,i=[],r=[],a=e.__P;a&&((t=ne({constructor:_e},n)).__v=n.__v+1,x.
vnode&&x.vnode(t),nt(a,t,n,e.__n,a.namespaceURI,32&n.__u?[o]:null,i,o||X(n),32&n.__u,r),t.__v=n.__v,t.__.__k[t.__i]=t,It(
i,t,r),n.__=n.__e=null,t.__e!=o&&Tt(t))}function Tt(e){if((e=e.__)&&e.__c&&!e.props.__P)return e.__e=null,e.__k.some(function(t){
return t&&(e.__e=t.__e)}),Tt(e)}function xt(e){(8&e.__g||(e.__g|=8,q.push(e),Le++))&&Je==x.debounceRendering||((Je=x.debounceRendering)||
queueMicrotask)(Lt)}function Lt(){try{for(var e,t=1;q.length;)q.length>t&&q.sort(St),e=q.shift(),t=q.length,8&e.__g&&ao(
e)}finally{(Le=q.length)&&(Je||queueMicrotask)(Lt)}}function At(e,t,n,o,i,r,a,l,d,p,c){var f,y,u,h,b,m,g=o.__k||Re,v=t.length;
for(d=lo(n,t,g,d,v),f=0;f<v;f++)(u=n.__k[f])!=null&&(y=~u.__i&&g[u.__i]||Ae,u.__i=f,m=nt(e,u,y,i,r,a,l,d,p,c),h=u.__e,(y.
ref!=u.ref||8&y.__u)&&(y.ref&&ot(y.ref,null,u,y),u.ref&&c.push(u.ref,u.__c||h,u)),b=b||h,4&u.__u?(d=Rt(u,d,e,!y.__v),y.__e&&
(y.__e=null)):typeof u.type=="function"&&m!==void 0?d=m:h&&(d=h.nextSibling),u.__u&=-21);return n.__e=b,d}function lo(e,t,n,o,i){
var r,a,l,d,p,c,f,y,u,h=n.length,b=h,m=0,g=0,v=e.__k=Array(i);for(r=0;r<i;r++)(a=t[r])!=null&&typeof a!="boolean"&&typeof a!=
"function"?(typeof a!="object"||a.constructor===String?a=v[r]=Pe(null,a):tt(a)?a=v[r]=Pe(S,{children:a}):a.constructor===
_e&&a.__b?a=v[r]=Pe(a.type,a.props,a.key,a.ref,a.__v):v[r]=a,d=r+m,a.__=e,a.__b=e.__b+1,l=null,~(p=a.__i=co(a,n,d,b))&&(b--,
(l=n[p])&&(l.__u|=2)),l&&l.__v?(a.__u|=16,p==d-1?m--:p==d+1?m++:p!=d&&(p>d?m--:m++,g=1)):(~p||(i>h?m--:i<h&&m++),typeof a.
type!="function"&&(a.__u|=4))):v[r]=null;if(g){for(c=[],f=[],r=0;r<i;r++)if((a=v[r])&&16&a.__u){for(m=0,y=c.length;m<y;)
c[u=m+y>>1]<a.__i?m=u+1:y=u;c[m]=a.__i,f[r]=m+1}for(m=c.length;r--;)f[r]&&(f[r]==m?m--:v[r].__u|=4)}if(b)for(r=0;r<h;r++)
!(l=n[r])||2&l.__u||(l.__e==o&&(o=X(l)),st(l,l));return o}function Rt(e,t,n,o){var i,r,a,l;if(typeof e.type=="function"){
if(e.props.__P)return t;if(i=e.__k)for(r=0;r<i.length;r++)i[r]&&(i[r].__=e,t=Rt(i[r],t,n,!1));return t}for(t&&!t.parentNode&&
(t=X(e))&&!t.parentNode&&(t=null),a=e.__e,l=t;l&&l.nodeType==8;)l=l.nextSibling;for(a!=l&&(!o&&n.moveBefore&&a.parentNode?
n.moveBefore(a,t):n.insertBefore(a,t||null)),t=a;(t=t&&t.nextSibling)&&t.nodeType==8&&!t.data.startsWith("$s"););return t}function co(e,t,n,o){var i,r=e.key,a=e.type,l=t[n],d=l&&!(2&l.__u);if(l===null&&r==null||d&&r==l.key&&a==l.type)return n;
if(o>(d?1:0)){for(i=n-1;i>=0;i--)if((l=t[i])&&!(2&l.__u)&&r==l.key&&a==l.type)return i;for(i=n+1;i<t.length;i++)if((l=t[i])&&
!(2&l.__u)&&r==l.key&&a==l.type)return i}return-1}function Mt(e,t,n){n==null&&(n=""),t[0]=="-"?e.setProperty(t,n):e[t]=n}
function Ee(e,t,n,o,i){var r,a;if(t=="style")if(typeof n=="string")e.style.cssText=n;else{if(typeof o=="string"&&(e.style.
cssText=o=""),o)for(t in o)n&&t in n||Mt(e.style,t);if(n)for(t in n)o&&n[t]==o[t]||Mt(e.style,t,n[t])}else if(t[0]=="o"&&
t[1]=="n")typeof n!="function"&&(n=null),typeof o!="function"&&(o=null),(e.__e||(e.__e={}))[t]=n,n&&o||(a=Qe[t]||(Qe[t]=
uo(t)),(e.__a||(e.__a={}))[t]=et,r=t!=(t=t.replace(Pt,"$1")),(t=t.slice(2))[0]<"a"&&(t=t.toLowerCase()),n?e.addEventListener(
t,a,r):e.removeEventListener(t,a,r));else{if(i=="http://www.w3.org/2000/svg")t=t.replace(/xlink(H|:h)/,"h").replace(/sName$/,
"s");else if(t!="width"&&t!="height"&&t!="href"&&t!="list"&&t!="form"&&t!="tabIndex"&&t!="download"&&t!="rowSpan"&&t!="c\
olSpan"&&t!="role"&&t!="popover"&&t in e)try{return void(e[t]=n??"")}catch{}if(typeof n=="function")return;n==null||n===
!1&&t[4]!="-"?e.removeAttribute(t):e.setAttribute(t,t=="popover"&&n==1?"":n)}}function uo(e){return function(t){var n=this.
__e;if(n){if(n=n[e],t[Se]==null)t[Se]=et++;else if(t[Se]<this.__a[e])return;return n(x.event?x.event(t):t)}}}function nt(e,t,n,o,i,r,a,l,d,p){
var c,f,y,u,h,b,m,g,v,E,w,z,Q,_,I,ee,D,j,O=t.type;if(t.constructor!==_e)return null;128&n.__u&&(d=32&n.__u,c=n.__c.__z)&&
(t.__u|=d,f=r=[],c.nodeType==8?l=Te(c,r):r.push(c),l=r[0]||l),(c=x.__b)&&c(t);e:if(typeof O=="function"){y=a.length;try{
if(g=t.props,v=(c=O.prototype)&&c.render,E=(c=O.contextType)&&o[c.__c],w=c?E?E.props.value:c.__:o,(u=n.__c)?(t.__c=u,2&u.
__g&&(u.__g|=1)):(v?t.__c=u=new O(g,w):(t.__c=u=new Ce(g,w),u.constructor=O,u.render=fo),E&&E.sub(u),u.state||(u.state={}),
u.__n=o,u.__g|=8,u.__h=[],u.__k=[]),v&&(u.__s||(u.__s=u.state),O.getDerivedStateFromProps&&(u.__s==u.state&&(u.__s=ne({},
u.__s)),ne(u.__s,O.getDerivedStateFromProps(g,u.__s)))),h=u.props,b=u.state,u.__v=t,n.__c){if(g!==h&&v&&!O.getDerivedStateFromProps&&
u.componentWillReceiveProps&&u.componentWillReceiveProps(g,w),t.__v==n.__v&&!(8&u.__g)||!(4&u.__g)&&u.shouldComponentUpdate&&
u.shouldComponentUpdate(g,u.__s,w)===!1){t.__v!=n.__v&&(u.props=g,u.state=u.__s,u.__g&=-9),t.__e=n.__e,t.__k=n.__k,t.__k.
some(function(H){H&&(H.__=t)}),Re.push.apply(u.__h,u.__k),u.__k=[],u.__h.length&&a.push(u),l=X(n);break e}u.componentWillUpdate&&
u.componentWillUpdate(g,u.__s,w),v&&u.componentDidUpdate&&u.__h.push(function(){u.componentDidUpdate(h,b,m)})}else v&&!O.
getDerivedStateFromProps&&u.componentWillMount&&u.componentWillMount(),v&&u.componentDidMount&&u.__h.push(u.componentDidMount);
u.context=w,u.props=g,u.__P=e,u.__g&=-5,z=x.__r,Q=v?25:0;do u.__g&=-9,z&&z(t),c=u.render(u.props,u.state=u.__s,u.context);while(8&
u.__g&&++Q<25);v&&(Re.push.apply(u.__h,u.__k),u.__k=[]),u.state=u.__s,u.getChildContext&&(o=ne({},o,u.getChildContext())),
v&&n.__c&&u.getSnapshotBeforeUpdate&&(m=u.getSnapshotBeforeUpdate(h,b)),_=c&&c.type===S&&c.key==null?c.props.children:c,
g.__P&&(c=l,i=(e=g.__P).namespaceURI,d=r=null,n.props&&n.props.__P!=e&&(n.__k.some(function(H){H&&st(H,H)}),n.__k=null),
l=n.__k?X(n,0):null),l=At(e,tt(_)?_:[_],t,n,o,i,r,a,l,d,p),g.__P&&(t.__e=null,l=c),t.__u&=-161,f&&f.some(te),u.__h.length&&
a.push(u),1&u.__g&&(u.__g&=-4)}catch(H){if(a.length=y,t.__v=null,d||r)if(H&&H.then){if(t.__u|=128|d,r){for(~(D=r.indexOf(
l||void 0))||(D=r.length);(j=r[D-1])&&j.nodeType==8;)D--;for(;D<r.length;D++)if(j=r[D])if(r[D]=null,I){if(j==ee)break}else{
if(j.nodeType!=8)break;j.data.startsWith("$s")&&(ee=Te(I=j))}}if(!I){for(;l&&l.nodeType==8&&l.nextSibling;)l=l.nextSibling;
I=l}(c=Te(I=t.__c.__z||(t.__c.__z=I)))?(t.__e=I,l=c):t.__e=l,l=l&&l.nextSibling}else r&&r.some(te);else t.__e=n.__e;t.__k||
(t.__k=n.__k||[]),H&&H.then||Ot(t),x.__e(H,t,n)}}else l=t.__e=po(n.__e,t,n,o,i,r,a,d,p,e);return(c=x.diffed)&&c(t),l}function Te(e,t){
if(e&&e.nodeType==8&&e.data.startsWith("$s"))for(var n=1;e=e.nextSibling;){if(e.nodeType==8){if(e.data.startsWith("$s"))
n++;else if(e.data.startsWith("/$s")&&!--n)return e}t&&t.push(e)}}function Ot(e){e&&(e.__c&&(e.__c.__g|=4),e.__k&&e.__k.
some(Ot))}function It(e,t,n){for(var o=0;o<n.length;)ot(n[o++],n[o++],n[o++]);x.__c&&x.__c(t,e),e.some(function(i){try{e=
i.__h,i.__h=[],e.some(function(r){r.call(i)})}catch(r){x.__e(r,i.__v)}})}function po(e,t,n,o,i,r,a,l,d,p){var c,f,y,u,h,
b,m,g,v=n.props||Ae,E=t.props,w=t.type;if(w=="svg"?i="http://www.w3.org/2000/svg":w=="math"?i="http://www.w3.org/1998/Ma\
th/MathML":i||(i="http://www.w3.org/1999/xhtml"),r){for(c=0;c<r.length;c++)if((h=r[c])&&(w?h.localName==w:h.nodeType==3)){
e=h,r[c]=null;break}}if(!e){if(g=p.ownerDocument||document,!w)return g.createTextNode(E);e=g.createElementNS(i,w,E.is?E:
p),l&&(x.__m&&x.__m(t,r),l=!1),r=null}if(w){if(p=w=="template"&&e.content||e,r=w=="textarea"&&E.defaultValue!=null?null:
r&&Ct.call(p.childNodes),!l&&r)for(v={},c=0;c<e.attributes.length;c++)v[(h=e.attributes[c]).name]=h.value;for(c in v)h=v[c],
c=="dangerouslySetInnerHTML"?y=h:c=="children"||c in E||c=="value"&&"defaultValue"in E||c=="checked"&&"defaultChecked"in
E||Ee(e,c,null,h,i);for(c in E)h=E[c],c=="children"?u=h:c=="dangerouslySetInnerHTML"?f=h:c=="value"?b=h:c=="checked"?m=h:
l&&typeof h!="function"||v[c]===h||Ee(e,c,h,v[c],i);f?(l||y&&(f.__html==y.__html||f.__html==e.innerHTML)||(e.innerHTML=f.
__html),t.__k=[]):(y&&(e.textContent=""),(w=="foreignObject"||i=="http://www.w3.org/1998/Math/MathML"&&ro.test(w))&&(i="\
http://www.w3.org/1999/xhtml"),At(p,tt(u)?u:[u],t,n,o,i,r,a,r?r[0]:n.__k&&X(n,0),l,d),r&&r.some(te)),l&&w!="textarea"||(c=
"value",w=="progress"&&b==null?e.removeAttribute(c):b==null||b===e[c]&&(w!="progress"||b)||Ee(e,c,b,v[c],i),c="checked",
m!=null&&m!=e[c]&&Ee(e,c,m,v[c],i))}else v===E||l&&e.data==E||(e.data=E);return e}function ot(e,t,n,o){try{typeof e=="fu\
nction"?t?t.__x=e(t)||1:o&&(o=o.__c||o.__e)&&(t=o.__x)&&(o.__x=null,typeof t=="function"?t():e(null)):e.current=t}catch(i){
x.__e(i,n)}}function st(e,t,n){var o,i,r,a;if(x.unmount&&x.unmount(e),!(o=e.ref)||o.current&&o.current!=e.__e||ot(o,null,
t,e),o=e.__c){if(o.componentWillUnmount)try{o.componentWillUnmount()}catch(l){x.__e(l,t)}o.__P=o.__n=null}if(o=e.__k)for(a=
0;a<o.length;a++)o[a]&&st(o[a],t,typeof e.type!="function"||n&&!e.props.__P);!n&&(o=e.__c)&&(o=o.__z)&&(i=Te(o,r=[]))&&(o==
e.__e&&r.some(te),te(i),te(o)),n||te(e.__e),e.__e=e.__c=e.__=null}function fo(e,t,n){return this.constructor(e,n)}function Nt(e,t){
var n,o,i,r;x.__&&x.__(e,t),t.nodeType==9&&(t=t.documentElement),o=(n=e&&32&e.__u)?null:t.__k,t.__k=Pe(S,{children:[e]}),
i=[],r=[],nt(t,t.__k,o||Ae,Ae,t.namespaceURI,o?null:t.firstChild?Ct.call(t.childNodes):null,i,o?o.__e:t.firstChild,n,r),
It(i,t.__k,r),t.__k.props.children=null}x={__e:function(e,t,n,o){for(var i,r,a;t=t.__;)if((i=t.__c)&&!(1&i.__g)){i.__g|=4;try{if((a=(r=i.constructor)&&r.getDerivedStateFromError)&&
i.setState(r.getDerivedStateFromError(e)),i.componentDidCatch&&(i.componentDidCatch(e,o||{}),a=1),a&&8&i.__g)return void(i.
__g|=2)}catch(l){e=l}}throw Le=0,e}},Et=0,so=function(e){return e!=null&&e.constructor===_e},Ce.prototype.setState=function(e,t){
var n=this.__s;n&&n!=this.state||(n=this.__s=ne({},this.state)),typeof e=="function"&&(e=e(ne({},n),this.props)),e&&(ne(
n,e),this.__v&&(t&&this.__k.push(t),xt(this)))},Ce.prototype.forceUpdate=function(e){this.__v&&(this.__g|=4,e&&this.__h.
push(e),xt(this))},Ce.prototype.render=S,q=[],Le=0,St=function(e,t){return e.__v.__b-t.__v.__b},Se=Symbol(),Pt=/(PointerCapture)$|Capture$/i,
et=0,Qe={},io=0;var le,T,it,$t,rt=Object.is,Oe=0,zt=[],at=[],C=x,Dt=C.__b,Ft=C.__r,Ht=C.diffed,Ut=C.__c,jt=C.unmount,Wt=C.__;function Ie(e,t){
C.__h&&C.__h(T,e,Oe||t),Oe=0;var n=T.__H||(T.__H={__:[],__h:[]});return e>=n.__.length&&n.__.push({}),n.__[e]}function M(e){
return Oe=1,oe(Vt,e)}function oe(e,t,n){var o=Ie(le++,2);if(o.t=e,!o.__c&&(o.__=[n?n(t):Vt(void 0,t),function(r){var a=(o.
__N||o.__)[0],l=o.t(a,r);rt(a,l)||(o.__N=[l,o.__[1]],o.__c.setState({}))}],o.__c=T,!T.__f)){T.__f=!0;var i=T.shouldComponentUpdate;
T.shouldComponentUpdate=function(r,a,l){var d=this.__H;if(!d)return!0;var p=!1,c=this.props!=r;if(d.__.some(function(y){
y.__N&&(p=!0,rt(y.__[0],y.__N[0])||(c=!0))}),i){var f=i.call(this,r,a,l);return p?f||c:f}return!p||c}}return o.__}function L(e,t){
var n=Ie(le++,3);!C.__s&&ct(n.__H,t)&&(n.__P=!0,n.__=e,n.u=t,T.__H.__h.push(n))}function W(e,t){var n=Ie(le++,4);!C.__s&&
ct(n.__H,t)&&(n.__P=!1,n.__=e,n.u=t,T.__h.push(n))}function P(e){return Oe=5,ho(function(){return{current:e}},[])}function ho(e,t){var n=Ie(le++,7);return ct(n.__H,t)&&(n.__=e(),n.__H=t),n.__}function mo(){var e;do{for(;e=at.shift();)try{ye(e)}catch(n){C.__e(n,{__:(e=e.__P)&&e.__v})}for(;e=zt.shift();){var t=e.
__H;if(e.__P&&t)try{t.__h.some(ye),t.__h.some(lt),t.__h=[]}catch(n){t.__h=[],C.__e(n,e.__v)}}}while(at.length)}C.__b=function(e){
T=null,Dt&&Dt(e)},C.__=function(e,t){e&&t.__k&&t.__k.__m&&(e.__m=t.__k.__m),Wt&&Wt(e,t)},C.__r=function(e){Ft&&Ft(e),le=
0;var t=(T=e.__c).__H;t&&(it==T?T.__h=[]:(t.__h.some(ye),t.__h.some(lt),le=0),t.__h=[],t.__.some(function(n){n.__N&&(n.__=
n.__N),n.u=n.__N=void 0})),it=T},C.diffed=function(e){Ht&&Ht(e);var t=e.__c;t&&t.__H&&(t.__H.__h.length&&Kt(zt.push(t)),
t.__H.__.some(function(n){n.u&&(n.__H=n.u)})),it=T=null},C.__c=function(e,t){t.some(function(n){try{n.__h.some(ye),n.__h=
n.__h.filter(function(o){return!o.__||lt(o)})}catch(o){n.__h=[function(){throw o}]}}),Ut&&Ut(e,t)},C.unmount=function(e){
jt&&jt(e);var t,n,o=e.__c;o&&o.__H&&(o.__H.__.some(function(i){try{if(i.__P&&i.__c){if(n===void 0){for(n=e.__;n&&(!n.__c||
!n.__c.__P);)n=n.__;n=n&&n.__c}i.__P=n,Kt(at.push(i))}else ye(i)}catch(r){t=r}}),o.__H=void 0,t&&C.__e(t,o.__v))};var Bt=typeof requestAnimationFrame==
"function";function go(e){var t,n=function(){clearTimeout(o),Bt&&cancelAnimationFrame(t),setTimeout(e)},o=setTimeout(n,35);
Bt&&(t=requestAnimationFrame(n))}function Kt(e){e!=1&&$t==C.requestAnimationFrame||(($t=C.requestAnimationFrame)||go)(mo)}
function ye(e){var t=T,n=e.__c;typeof n=="function"&&(e.__c=void 0,n()),T=t}function lt(e){var t=T;e.__c=e.__(),T=t}function ct(e,t){
return!e||e.length!=t.length||t.some(function(n,o){return!rt(n,e[o])})}function Vt(e,t){return typeof t=="function"?t(e):
t}function se(e){return typeof e=="object"&&e!==null&&!Array.isArray(e)}var N=e=>typeof e=="string"?e:null,ut=e=>typeof e==
"number"&&Number.isFinite(e)&&e>=0?e:null;function _o(e){let t=/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(
e);return t?`${t[1]}.${(t[2]??"").padEnd(6,"0").slice(0,6)}`:null}function Gt(e){if(!se(e))return null;let t=N(e.id),n=N(
e.user_id),o=N(e.username),i=N(e.content),r=N(e.created_at),a=r===null?null:_o(r);return t===null||n===null||o===null||i===
null||r===null||!a?null:{id:t,key:a,userId:n,username:o,content:i,createdAt:r,isBot:e.is_bot===!0,isError:e.is_error===!0}}
function qt(e){return!se(e)||!Array.isArray(e.messages)?[]:e.messages.map(Gt).filter(t=>t!==null)}function dt(e){if(!se(
e))return null;let t=N(e.id),n=N(e.name),o=N(e.created_at);return t===null||n===null||o===null?null:{id:t,name:n,createdAt:o,
createdBy:N(e.created_by)??"",isEphemeral:e.ephemeral===!0,userCount:ut(e.user_count)??0}}function Xt(e){return!se(e)||!Array.
isArray(e.chatrooms)?{rooms:[],cursor:null}:{rooms:e.chatrooms.map(dt).filter(t=>t!==null),cursor:N(e.next_cursor)||null}}
function Zt(e){if(!se(e))return null;let t=N(e.id),n=N(e.username);return t===null||n===null?null:{id:t,username:n}}function yo(e){
let t=new Map;if(se(e))for(let[n,o]of Object.entries(e)){let i=ut(o);i!==null&&t.set(n,i)}return t}function Yt(e){let t;
try{t=JSON.parse(e)}catch{return null}if(!se(t))return null;switch(t.type){case"chat_message":{let n=Gt(t);return n&&{type:"\
chat_message",post:n}}case"message_ack":{let n=N(t.id);return n===null?null:{type:"message_ack",id:n,clientKey:N(t.client_key)}}case"\
user_joined":case"user_left":{let n=N(t.username);return n===null?null:{type:t.type,username:n}}case"user_count_update":
return{type:"user_count_update",counts:yo(t.user_counts)};case"error":return{type:"error",message:N(t.message)??"The ser\
ver refused this",clientKey:N(t.client_key),waitMs:ut(t.retry_after_ms)};default:return null}}var vo=2e4,bo=4,A=class extends Error{constructor(n,o,i){super(o);this.status=n;this.waitMs=i}};function ko(e){let t=Number(
e.headers.get("Retry-After")??NaN);return Number.isFinite(t)&&t>=0?t*1e3:null}function wo(e){let t=typeof e=="object"&&e!==
null?e.error:null;return typeof t=="string"?t:null}async function Z(e,t,n){let o;try{o=await fetch(`/api/v1${t}`,{method:e,
credentials:"same-origin",keepalive:e==="POST",signal:AbortSignal.timeout(vo),...n===void 0?{}:{headers:{"Content-Type":"\
application/json"},body:JSON.stringify(n)}})}catch{throw new A(0,"The server cannot be reached",null)}let i=await o.json().
catch(()=>null);if(!o.ok)throw new A(o.status,wo(i)??"Something went wrong",ko(o));return i}function Jt(e){if(e===null)throw new A(
0,"The server gave an answer that makes no sense",null);return e}var $={async register(e,t,n){await Z("POST","/auth/regi\
ster",{username:e,email:t,password:n})},async login(e,t){await Z("POST","/auth/login",{username:e,password:t})},async logout(){
await Z("POST","/auth/logout")},async me(){return Jt(Zt(await Z("GET","/auth/me")))},async rooms(e,t){let n=e===null?"":
`&cursor=${encodeURIComponent(e)}`;return Xt(await Z("GET",`/chatrooms?limit=${t}${n}`))},async create(e,t){return Jt(dt(
await Z("POST","/chatrooms",t?{name:e,ephemeral:t}:{name:e})))},async join(e){await Z("POST",`/chatrooms/${encodeURIComponent(
e)}/join`)},async messages(e,t,n){let o=n===null?"":`&before=${encodeURIComponent(n)}`;return qt(await Z("GET",`/chatroo\
ms/${encodeURIComponent(e)}/messages?limit=${t}${o}`))}};async function Ne(e,t){for(let n=1;;n++)try{return await e()}catch(o){
if(!(o instanceof A&&(o.status===429||o.status===503))||n===bo||!t())throw o;await new Promise(r=>setTimeout(r,(o.waitMs??
1e3)+Math.random()*250))}}var Y=class{constructor(){this.watchers=new Set;this.planned=!1}watch(t){return this.watchers.add(t),()=>this.watchers.delete(
t)}changed(){if(this.planned)return;this.planned=!0;let t=!1,n=()=>{if(!t){t=!0,this.planned=!1;for(let o of[...this.watchers])
o()}};requestAnimationFrame(n),setTimeout(n,50)}};var Qt="confab",ve=(e,t)=>`${Qt}.${e}.${t}`;function en(e,t){try{let n=JSON.parse(sessionStorage.getItem(ve(e,t))??"{}");
return{draft:typeof n.draft=="string"?n.draft:"",unsent:(Array.isArray(n.unsent)?n.unsent:[]).filter(o=>typeof o?.key=="\
string"&&typeof o.content=="string"&&typeof o.atMs=="number")}}catch{return{draft:"",unsent:[]}}}function tn(e,t,n){try{
n.draft||n.unsent.length>0?sessionStorage.setItem(ve(e,t),JSON.stringify(n)):sessionStorage.removeItem(ve(e,t))}catch{}}
function nn(e,t){try{return sessionStorage.getItem(ve(e,t))!==null}catch{return!1}}function pt(){on(()=>!0)}function ft(e){
on(t=>!t.startsWith(ve(e,"")))}function on(e){try{for(let t of Object.keys(sessionStorage))t.startsWith(`${Qt}.`)&&e(t)&&
sessionStorage.removeItem(t)}catch{}}var rn={phase:"idle",ending:null,attempt:0,rejoin:!0,liveSinceMs:0,dueMs:0,wasLive:!1};function mt(e,t){let n=Math.min(3e4,
2e3*2**e);return Math.round(300+t*(n-300))}function xo(e){let t=/\bretry_after_ms=(\d{1,7})\b/.exec(e);return t?Number(t[1]):
null}function ht(e,t){return[{...e,phase:"ended",ending:t,liveSinceMs:0,dueMs:0},[{do:"drop"}]]}function be(e){let t=e.rejoin?
"joining":"connecting",n=e.rejoin?[{do:"join"}]:[{do:"connect"},{do:"wait",ms:15e3}];return[{...e,phase:t,liveSinceMs:0,
dueMs:0},n]}function gt(e,t,n){return[{...e,phase:"waiting",attempt:e.attempt+1,liveSinceMs:0,dueMs:n+t},[{do:"drop"},{do:"\
wait",ms:t}]]}function sn(e,{status:t,waitMs:n},o,i){if(t===401)return ht(e,"signed-out");if(t===404)return ht(e,"gone");
let r=e.rejoin||t===403;return gt({...e,rejoin:r},Math.max(n??0,mt(e.attempt,i)),o)}function $e(e,{code:t,reason:n},o,i){
let a=e.liveSinceMs>0&&o-e.liveSinceMs>=1e4?0:e.attempt,l=e.rejoin||e.phase==="connecting"||t===1008,d={...e,attempt:a,rejoin:l};
return t===1008&&a===0?be({...d,attempt:1}):gt(d,xo(n)??mt(a,i),o)}function an(e,t,n,o){let i=[e,[]];if(e.phase==="ended")
return i;if(t.type==="left")return ht(e,"left");switch(e.phase){case"idle":return t.type==="start"?be(e):i;case"joining":
return t.type==="joined"?be({...e,rejoin:!1}):t.type==="refused"?sn(e,t,n,o):i;case"connecting":return t.type==="opened"?
[{...e,phase:"entering"},[{do:"wait",ms:5e3}]]:t.type==="due"?gt({...e,rejoin:!0},mt(e.attempt,o),n):t.type==="closed"?$e(
e,t,n,o):i;case"entering":return t.type==="welcomed"||t.type==="due"?[{...e,phase:"filling"},[{do:"fill"}]]:t.type==="cl\
osed"?$e(e,t,n,o):i;case"filling":return t.type==="filled"?[{...e,phase:"live",liveSinceMs:n,wasLive:!0},[]]:t.type==="r\
efused"?sn(e,t,n,o):t.type==="closed"?$e(e,t,n,o):i;case"live":if(t.type==="closed")return $e(e,t,n,o);if(t.type==="woke\
n"){let[r,a]=be(e);return[r,[{do:"drop"},...a]]}return i;case"waiting":return t.type==="due"||t.type==="woken"?be(e):i}}var ln={posts:[],pages:0};function cn(e,t,n,o){let i={posts:[...t,...e.posts],pages:e.pages+1},r=t[0];return!r||t.length<
n?[i,{more:!1,touches:!0,reachedStart:!0}]:o===null?[i,{more:!1,touches:!0,reachedStart:!1}]:r.key<=o?[i,{more:!1,touches:!0,
reachedStart:!1}]:i.pages>=20?[i,{more:!1,touches:!1,reachedStart:!1}]:[i,{more:!0,before:r.id}]}var De=class{constructor(){this.people=new Map;this.connections=0;this.version=0}reset(){this.people.clear(),this.version++}joined(t){
this.people.set(t,(this.people.get(t)??0)+1),this.version++}left(t){let n=this.people.get(t)??0;n>1?this.people.set(t,n-
1):this.people.delete(t),this.version++}wrote(t){this.people.has(t)||(this.people.set(t,1),this.version++)}counted(t){t!==
this.connections&&(this.connections=t,this.version++)}names(t){let n=[...this.people.keys()].filter(o=>o!==t).sort((o,i)=>o.
localeCompare(i));return this.people.has(t)?[t,...n]:n}get unnamed(){let t=0;for(let n of this.people.values())t+=n;return Math.
max(0,this.connections-t)}};var un=String.raw`[ \t\r\n\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]`,Mo=new RegExp(`^${un}+|${un}+$`,
"g");function ce(e){let t=e.replace(Mo,"");if(t==="/hello")return{kind:"hello"};let n=/^\/stock=([A-Za-z0-9.]{1,20})$/.exec(
t);return n?.[1]?{kind:"stock",code:n[1].toUpperCase()}:null}var Eo=[{insert:"/stock=",title:"/stock=CODE",hint:"Ask Sto\
ckBot for a quote, as in /stock=AAPL.US"},{insert:"/hello",title:"/hello",hint:"A thought for the room"}];function dn(e){
return!e.startsWith("/")||/\s/.test(e)?[]:Eo.filter(({insert:t})=>t.startsWith(e)&&t!==e)}function pn(e){if(!e.startsWith(
"/"))return null;let t=ce(e);if(t?.kind==="stock")return{kind:"command",text:`StockBot will look up ${t.code}`};if(t?.kind===
"hello")return{kind:"command",text:"StockBot will say something"};let n=/^\/stock=(.*)$/s.exec(e)?.[1];return n===void 0?
null:n===""?{kind:"unfinished",text:"Type a symbol, as in AAPL.US"}:{kind:"ordinary",text:"Not a symbol (1 to 20 letters\
, digits and dots): sent as a message"}}function fn(e,t){return e.kind==="hello"||t.toUpperCase().includes(e.code)}var ue=5e3,So=200,hn=3,Fe=class{constructor(){this.posts=[];this.pending=[];this.atStart=!1;this.atEnd=!0;this.version=0;
this.extras=[];this.extraCount=0;this.ids=new Map;this.ownKeys=new Map;this.cached={version:-1,entries:[]}}has(t){return this.
ids.has(t)}get newest(){return this.posts[this.posts.length-1]}live(t){return t.isBot?(this.settleCommands(t),this.addExtra(
{kind:"bot",post:t}),!0):(this.matchOwn(t),!this.atEnd||!this.insert(t)?!1:(this.posts.length>ue&&this.dropOldest(this.posts.
length-ue),!0))}fill(t,n,o){!n&&this.posts.length>0&&this.forgetPosts();for(let i of t)this.matchOwn(i),this.insert(i);o&&
(this.atStart=!0),this.atEnd=!0,this.posts.length>ue&&this.dropOldest(this.posts.length-ue),this.version++}prepend(t,n){
for(let o of t)this.insert(o);if(n&&(this.atStart=!0),this.posts.length>ue){for(let o of this.posts.splice(ue))this.ids.
delete(o.id);this.atEnd=!1}this.version++}forgetPosts(){this.posts=[],this.ids.clear(),this.extras=[],this.atStart=!1,this.
atEnd=!0,this.version++}insert(t){if(this.ids.has(t.id))return!1;let n=0,o=this.posts.length;for(o>0&&this.posts[o-1].key<
t.key&&(n=o);n<o;){let i=n+o>>1;this.posts[i].key<t.key?n=i+1:o=i}return this.posts.splice(n,0,t),this.ids.set(t.id,t),this.
version++,!0}dropOldest(t){for(let o of this.posts.splice(0,t))this.ids.delete(o.id),this.ownKeys.delete(o.id);let n=this.
posts[0]?.key??"";this.extras=this.extras.filter(({after:o})=>o>=n),this.atStart=!1,this.version++}queue(t,n,o){let i={key:t,
content:n,atMs:o,sentMs:0,sends:0,state:"sending",id:null,error:null,retryAtMs:0,isCommand:ce(n)!==null};return this.pending.
push(i),this.version++,i}unsent(){return this.giveUp(({sends:t})=>t>=hn),this.sending()}isUnanswered(t){let n=({sentMs:o})=>o>
0&&o<t;return this.giveUp(o=>o.sends>=hn&&n(o)),this.sending().some(n)}sending(){return this.pending.filter(({state:t})=>t===
"sending")}giveUp(t){for(let n of this.sending())t(n)&&this.fail(n.key,"The server has not confirmed it",0)}sent(t,n){t.
sentMs=n,t.sends++,t.isCommand&&(t.state="asked"),this.version++}ack(t,n){let o=this.find(t);o&&(o.id=n,o.state="stored",
o.error=null,this.version++,this.ids.has(n)&&this.settle(o,n))}fail(t,n,o){let i=this.find(t);return!i||i.state==="store\
d"?!1:(i.state="failed",i.error=n,i.retryAtMs=o,this.version++,!0)}retry(t){let n=this.find(t);if(n?.state==="failed")return n.
state="sending",n.error=null,n.sentMs=0,n.sends=0,this.version++,n}discard(t){this.pending=this.pending.filter(n=>n.key!==
t),this.version++}lostSocket(){for(let t of this.pending)t.state==="asked"&&this.fail(t.key,"The connection was lost bef\
ore StockBot answered",0)}find(t){return t===null?void 0:this.pending.find(n=>n.key===t)}matchOwn(t){let n=this.pending.
find(({id:o})=>o===t.id);n&&this.settle(n,t.id)}settle(t,n){this.ownKeys.set(n,t.key),this.discard(t.key)}echo(t){let n=this.
pending.find(o=>o.isCommand&&o.state==="asked"&&o.content===t);return n&&this.answered(n),n!==void 0}note(t,n,o){this.addExtra(
{kind:t,username:n,atMs:o})}settleCommands(t){let n=this.pending.find(o=>{let i=o.state==="asked"?ce(o.content):null;return i!==
null&&fn(i,t.content)});n&&this.answered(n)}answered(t){this.discard(t.key),this.addExtra({kind:"asked",content:t.content},
t.key)}addExtra(t,n=`extra-${++this.extraCount}`){this.extras.push({id:n,after:this.newest?.key??"",extra:t}),this.extras.
length>So&&this.extras.shift(),this.version++}entries(){if(this.cached.version===this.version)return this.cached.entries;
let t=[],n=0,o=i=>{for(let r=this.extras[n];r&&(i===null||r.after<i);r=this.extras[++n])Po(t,r)};for(let i of this.posts)
o(i.key),t.push({kind:"post",id:this.ownKeys.get(i.id)??i.id,post:i});this.atEnd&&o(null);for(let i of this.pending)t.push(
{kind:"pending",id:i.key,pending:i});return this.cached={version:this.version,entries:t},t}};function Po(e,{id:t,extra:n}){
let o=e[e.length-1];n.kind==="bot"?e.push({kind:"bot",id:t,post:n.post}):n.kind==="asked"?e.push({kind:"asked",id:t,content:n.
content}):o?.kind==="notes"?o.notes.push(n):e.push({kind:"notes",id:t,notes:[n]})}var To=12e3,Lo=2e3,Ao=9e4;function Ro(){return[...crypto.getRandomValues(new Uint8Array(16))].map(e=>e.toString(16).padStart(
2,"0")).join("")}var He=class extends Y{constructor(n,o,i){super();this.id=n;this.me=o;this.events=i;this.timeline=new Fe;
this.presence=new De;this.connection=rn;this.trouble=null;this.unread=0;this.unreadAfter=null;this.heard=null;this.loadingOlder=
!1;this.olderFailed=!1;this.socket=null;this.confirmed=null;this.isWatched=!1;this.early=[];this.tickedMs=Date.now();let r=en(
o.id,n);this.draft=r.draft,this.isUnfinished=r.draft!==""||r.unsent.length>0;for(let{key:a,content:l,atMs:d,error:p}of r.
unsent)this.timeline.queue(a,l,d),p&&this.timeline.fail(a,p,0);this.ticker=setInterval(()=>this.tick(),Lo),this.on({type:"\
start"})}leave(){clearInterval(this.ticker),this.on({type:"left"})}wake(){this.on({type:"woken"})}setWatched(n){n&&!this.
isWatched&&this.unread===0&&(this.unreadAfter=null),this.isWatched=n,n&&(this.unread=0),this.tick(),this.changed(),this.
events.noticed()}setDraft(n){this.draft=n,this.remember(),this.changed()}send(n){let o=this.timeline.queue(Ro(),n,Date.now());
this.unreadAfter=null,this.transmit(o),this.setDraft("")}retry(n){let o=this.timeline.retry(n);o&&this.transmit(o),this.
remember(),this.changed()}discard(n){this.timeline.discard(n),this.remember(),this.changed()}dismissTrouble(){this.trouble!==
null&&(this.trouble=null,this.changed())}async loadOlder(){let n=this.timeline.posts[0];if(this.loadingOlder||this.timeline.
atStart||!n)return;this.loadingOlder=!0,this.olderFailed=!1,this.changed();let o=()=>this.connection.phase!=="ended"&&this.
timeline.posts[0]?.id===n.id;try{let i=await Ne(()=>$.messages(this.id,50,n.id),o);o()&&this.timeline.prepend(i,i.length<
50)}catch(i){let r=i instanceof A?i.status:0;r===401&&this.events.signedOut(),r===400&&this.timeline.prepend([],!0),this.
olderFailed=r!==400}this.loadingOlder=!1,this.changed()}async loadNewest(){if(!(this.timeline.atEnd||this.connection.phase!==
"live")){this.timeline.forgetPosts(),this.changed();try{let n=await $.messages(this.id,50,null);this.timeline.fill(n,!0,
n.length<50)}catch{this.wake()}this.changed()}}on(n){let[o,i]=an(this.connection,n,Date.now(),Math.random()),r=this.connection;
this.connection=o,o.phase!==r.phase&&(clearTimeout(this.timer),r.phase==="live"&&this.timeline.lostSocket(),o.phase==="e\
nded"&&o.ending==="signed-out"&&this.events.signedOut());for(let a of i)this.run(a);this.changed()}run(n){switch(n.do){case"\
join":this.attempt(()=>$.join(this.id),{type:"joined"});break;case"connect":this.connect();break;case"fill":this.attempt(
()=>Promise.all([this.confirm(),this.fill()]),{type:"filled"});break;case"drop":this.socket?.close(1e3),this.socket=null;
break;case"wait":this.timer=setTimeout(()=>this.on({type:"due"}),n.ms);break}}attempt(n,o){let{phase:i}=this.connection,
{socket:r}=this,a=()=>this.connection.phase===i&&this.socket===r;n().then(()=>a()&&this.on(o),l=>{let d=l instanceof A?l:
new A(0,"",null);a()&&this.on({type:"refused",status:d.status,waitMs:d.waitMs})})}connect(){let n=location.protocol==="h\
ttps:"?"wss":"ws",o=new WebSocket(`${n}://${location.host}/ws/chat/${encodeURIComponent(this.id)}`);this.socket=o,this.early=
[];let i=r=>a=>{this.socket===o&&r(a)};o.onopen=i(()=>{this.presence.reset(),this.on({type:"opened"})}),o.onmessage=i(({
data:r})=>{let a=typeof r=="string"?Yt(r):null;a&&this.take(a)}),o.onclose=i(({code:r,reason:a})=>{this.socket=null,this.
on({type:"closed",code:r,reason:a})})}take(n){switch(n.type){case"user_joined":this.presence.joined(n.username),this.connection.
phase==="entering"?this.on({type:"welcomed"}):n.username!==this.me.username&&this.timeline.note("joined",n.username,Date.
now());break;case"user_left":this.presence.left(n.username),n.username!==this.me.username&&this.timeline.note("left",n.username,
Date.now());break;case"chat_message":this.connection.phase==="live"?this.takePost(n.post):this.early.push(n.post);break;case"\
message_ack":this.timeline.ack(n.clientKey,n.id),this.remember();break;case"user_count_update":{let o=n.counts.get(this.
id);o!==void 0&&this.presence.counted(o),this.events.counts(n.counts);break}case"error":this.takeError(n);break}this.changed()}takePost(n){
if(n.isBot||this.presence.wrote(n.username),!n.isBot&&ce(n.content)){this.timeline.echo(n.content);return}let o=this.timeline.
newest?.key??"";this.timeline.live(n)&&this.count([n],o),this.remember()}count(n,o){let i=n.filter(({userId:r,key:a})=>r!==
this.me.id&&a>o);if(i.length!==0){if(this.isWatched){this.heard=i[i.length-1];return}this.unread===0&&(this.unreadAfter=
o),this.unread+=i.length,this.events.noticed()}}takeError(n){let o=n.waitMs===null?0:Date.now()+n.waitMs;(!this.timeline.
fail(n.clientKey,n.message,o)||o>0)&&(this.trouble={message:n.message,untilMs:o}),this.remember()}async confirm(){let{socket:n}=this;
await this.events.confirm(),!(n===null||this.socket!==n)&&(this.confirmed=n,this.timeline.unsent().forEach(o=>this.transmit(
o)))}async fill(){let{timeline:n,socket:o}=this,i=n.newest?.key??null,r=i===null?50:100,a=ln;for(let d=null;n.atEnd;){let p=await this.
pageOrNothing(r,d);if(this.socket!==o)return;let[c,f]=cn(a,p,r,i);if(a=c,!f.more){n.fill(a.posts,f.touches,f.reachedStart),
i!==null&&this.count(a.posts,i);break}d=f.before}let{early:l}=this;this.early=[];for(let d of l)this.takePost(d);this.remember()}async pageOrNothing(n,o){
try{return await $.messages(this.id,n,o)}catch(i){if(o!==null&&i instanceof A&&i.status===400)return[];throw i}}transmit(n){
this.socket===null||this.socket!==this.confirmed||this.socket.readyState===WebSocket.OPEN&&(this.socket.send(JSON.stringify(
{type:"chat_message",content:n.content,client_key:n.key})),this.timeline.sent(n,Date.now()),this.changed())}tick(){let n=Date.
now(),{version:o}=this.timeline,i=n-this.tickedMs>Ao;this.tickedMs=n;let r=this.connection.phase==="live"&&this.timeline.
isUnanswered(n-To);(i||r)&&this.wake(),this.timeline.version!==o&&(this.remember(),this.changed())}remember(){if(this.connection.
phase==="ended")return;let n=this.timeline.pending.filter(({state:i})=>i==="sending"||i==="failed"),o=this.isUnfinished;
this.isUnfinished=this.draft!==""||n.length>0,tn(this.me.id,this.id,{draft:this.draft,unsent:n.map(({key:i,content:r,atMs:a,
error:l})=>({key:i,content:r,atMs:a,error:l}))}),this.isUnfinished!==o&&this.events.noticed()}};var Ue=class{constructor(){this.rooms=[];this.cursor=void 0;this.version=0;this.byId=new Map}get(t){return this.byId.get(
t)}get isComplete(){return this.cursor===null}append(t){let n=t.rooms.filter(({id:o})=>!this.byId.has(o));t.rooms.forEach(
o=>this.put(o)),this.set([...this.rooms,...n]),this.cursor=t.cursor}refresh(t){let n=this.rooms.length===0||t.rooms.some(
({id:d})=>this.byId.has(d))||t.cursor===null,o=n?this.rooms:[],i=new Set(t.rooms.map(({id:d})=>d)),r=o.findIndex(({id:d})=>i.
has(d)),a=o.slice(0,Math.max(0,r)),l=o.slice(a.length).filter(({id:d})=>!i.has(d));return n||this.byId.clear(),t.rooms.forEach(
d=>this.put(d)),this.set([...a,...t.rooms,...l]),(!n||this.cursor===void 0)&&(this.cursor=t.cursor),n}add(t){this.byId.has(
t.id)||(this.put(t),this.set([t,...this.rooms]))}counted(t){this.rooms.forEach((n,o)=>{let i=t.get(n.id);(i!==void 0||o<
500)&&(n.userCount=i??0)}),this.version++}search(t){let n=mn(t.trim());return n?this.rooms.filter(({name:o})=>mn(o).includes(
n)):this.rooms}put(t){let n=this.byId.get(t.id);n?Object.assign(n,t):this.byId.set(t.id,t)}set(t){this.rooms=t.map(({id:n})=>this.
byId.get(n)),this.version++}};function mn(e){return e.normalize("NFD").replace(new RegExp("\\p{M}","gu"),"").toLowerCase()}var Oo=3e4,_t=50,Io=100,No=4,je=class extends Y{constructor(n,o){super();this.me=n;this.onEnd=o;this.list=new Ue;this.room=
null;this.isListing=!1;this.listError=null;this.opened=[];this.isVisible=()=>document.visibilityState==="visible";this.onLook=
()=>{this.room?.setWatched(this.isVisible()),this.isVisible()&&this.refresh()};this.onOnline=()=>{for(let n of this.opened)
n.wake()};this.poll=setInterval(()=>this.isVisible()&&this.refresh(),Oo),document.addEventListener("visibilitychange",this.
onLook),window.addEventListener("focus",this.onLook),window.addEventListener("online",this.onOnline),this.loadMore(_t)}close(){
clearInterval(this.poll),document.removeEventListener("visibilitychange",this.onLook),window.removeEventListener("focus",
this.onLook),window.removeEventListener("online",this.onOnline);for(let n of this.opened)this.shut(n)}logout(){this.onEnd(
"asked")}async confirm(){if((await $.me()).id!==this.me.id)throw this.onEnd("replaced"),new A(401,"Someone else has logg\
ed in",null)}get unread(){return this.opened.reduce((n,{unread:o})=>n+o,0)}openRoom(n){return this.opened.find(o=>o.id===
n)}show(n){if(this.room?.id!==n){if(this.room?.setWatched(!1),this.room=null,n!==null){let o=this.openRoom(n),i=o&&o.connection.
phase!=="ended"?o:new He(n,this.me,{counts:r=>{this.list.counted(r),this.changed()},confirm:()=>this.confirm(),signedOut:()=>this.
onEnd("ended"),noticed:()=>this.changed()});o&&o!==i&&this.shut(o),this.opened=[i,...this.opened.filter(r=>r!==i)],this.
opened.slice(No).forEach(r=>this.shut(r)),this.room=i,i.setWatched(this.isVisible()),this.seek(()=>this.list.get(n)!==void 0,
()=>this.room===i)}this.changed()}}shut(n){this.opened=this.opened.filter(o=>o!==n),n.leave()}async create(n,o){let i=await $.
create(n,o);return this.list.add(i),this.changed(),i}async loadMore(n=Io){let{cursor:o}=this.list;this.isListing||o===null||
await this.listing(async()=>{let i=await Ne(()=>$.rooms(o??null,n),()=>!0);this.list.append(i)})}async refresh(){if(!this.
isListing){if(this.list.cursor===void 0)return this.loadMore(_t);await this.listing(async()=>{this.list.refresh(await $.
rooms(null,_t))})}}async seek(n,o){for(;!n()&&!this.list.isComplete&&o();)if(this.isListing?await new Promise(i=>setTimeout(
i,50)):await this.loadMore(),this.listError!==null)return}async listing(n){this.isListing=!0,this.changed();try{await n(),
this.listError=null}catch(o){o instanceof A&&o.status===401&&this.onEnd("ended"),this.listError=o instanceof Error?o.message:
String(o)}this.isListing=!1,this.changed()}};var $o="confab.session",We="confab.leaving";function Do(){try{return localStorage.getItem(We)!==null}catch{return!1}}function yt(e){
try{e?localStorage.setItem(We,"1"):localStorage.removeItem(We)}catch{}}var vt=class extends Y{constructor(){super();this.
leaving=Do()?"untold":"no";this.channel="BroadcastChannel"in window?new BroadcastChannel($o):null;this.telling=null;window.
addEventListener("storage",({key:n,newValue:o})=>{n===We&&this.telling===null&&this.set(o===null?"no":"untold")}),window.
addEventListener("online",()=>this.isLeaving&&void this.tell())}get isLeaving(){return this.leaving==="telling"||this.leaving===
"untold"}listen(n){let o=({data:i})=>{n(i),i.is==="out"?pt():ft(i.user)};return this.channel?.addEventListener("message",
o),()=>this.channel?.removeEventListener("message",o)}async login(n,o){this.isLeaving&&await this.tell(),await $.login(n,
o),yt(!1),this.set("no")}entered(n){ft(n.id),this.say({is:"in",user:n.id})}logout(){pt(),yt(!0),this.say({is:"out"}),this.
tell()}tell(){return this.telling??=this.tellNow().finally(()=>this.telling=null),this.telling}async tellNow(){this.set(
"telling");try{await $.logout()}catch(n){if(!(n instanceof A)||n.status!==401)return this.set("untold")}yt(!1),this.set(
"told")}say(n){this.channel?.postMessage(n)}set(n){this.leaving=n,this.changed()}},U=new vt;var gn="confab-theme",Fo=["system","light","dark"];function _n(){try{let e=localStorage.getItem(gn);return Fo.find(t=>t===
e)??"system"}catch{return"system"}}function Ho(e){e==="system"?delete document.documentElement.dataset.theme:document.documentElement.
dataset.theme=e}function yn(e){try{localStorage.setItem(gn,e)}catch{}Ho(e)}var Uo=Symbol.for("pv"),jo=0;function s(e,t,n,o,i,r){t||(t={});var a,l,d=t;if("ref"in d&&typeof e!="function")for(l in d={},t)l=="ref"?a=t[l]:d[l]=t[l];
var p={type:e,props:d,key:n,ref:a,__k:null,__:null,__b:0,__e:null,__c:null,constructor:Uo,__v:--jo,__i:-1,__u:0};return(i||
r)&&(p.__source=i,p.__self=r),x.vnode&&x.vnode(p),p}function R(e){return({size:t=20})=>s("svg",{class:"icon",width:t,height:t,viewBox:"0 0 24 24",fill:"none",stroke:"curren\
tColor","stroke-width":"1.75","stroke-linecap":"round","stroke-linejoin":"round","aria-hidden":"true",focusable:"false",
children:e})}var vn=R(s("path",{d:"M12 5v14M5 12h14"})),bn=R(s(S,{children:[s("circle",{cx:"11",cy:"11",r:"6.5"}),s("pat\
h",{d:"m20 20-4.2-4.2"})]})),kn=R(s(S,{children:[s("circle",{cx:"9",cy:"8",r:"3.5"}),s("path",{d:"M2.5 19.5c.6-3.4 3.2-5\
.5 6.5-5.5s5.9 2.1 6.5 5.5M16 4.8a3.5 3.5 0 0 1 0 6.4M18 14.6c1.8.8 3.1 2.5 3.5 4.9"})]})),wn=R(s("path",{d:"M12 19V5M5.\
5 11.5 12 5l6.5 6.5"})),xn=R(s("path",{d:"M12 5v14M5.5 12.5 12 19l6.5-6.5"})),Mn=R(s(S,{children:[s("circle",{cx:"12",cy:"\
12",r:"4"}),s("path",{d:"M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 \
17.3l-1.4 1.4"})]})),En=R(s("path",{d:"M20 14.5A8.3 8.3 0 0 1 9.5 4a8.3 8.3 0 1 0 10.5 10.500Z"})),Sn=R(s(S,{children:[s(
"rect",{x:"3",y:"4.5",width:"18",height:"12",rx:"2"}),s("path",{d:"M9 20h6M12 16.500V20"})]})),Pn=R(s("path",{d:"M14 4H7\
a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h7M10 12h11M17.5 8.5 21 12l-3.5 3.5"})),Cn=R(s("path",{d:"m14.5 5-7 7 7 7"})),J=R(s("path",
{d:"M6 6l12 12M18 6 6 18"})),Tn=R(s("path",{d:"m5 12.5 4.5 4.500L19 7.5"})),Ln=R(s(S,{children:[s("circle",{cx:"12",cy:"\
12",r:"8.5"}),s("path",{d:"M12 7.500V12l3 2"})]})),ie=R(s(S,{children:[s("circle",{cx:"12",cy:"12",r:"8.5"}),s("path",{d:"\
M12 8v4.500M12 16v.01"})]})),Be=R(s("path",{d:"M9.5 4 7.5 20M16.5 4l-2 16M4.5 9h15.500M4 15h15.5"})),Ke=R(s("path",{d:"M\
6.5 3.500h11M6.5 20.500h11M8 3.500c0 5 4 5.5 4 8.500s-4 3.5-4 8.500M16 3.500c0 5-4 5.5-4 8.500s4 3.5 4 8.5"})),An=R(s(S,
{children:[s("path",{d:"M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12Z"}),s("circle",{cx:"12",cy:"1\
2",r:"3"})]})),ze=R(s(S,{children:[s("rect",{x:"4.5",y:"8",width:"15",height:"11",rx:"3"}),s("path",{d:"M12 8V4.500M9 13\
v1M15 13v1M2.5 12.500v3M21.5 12.500v3"})]})),Rn=R(s("path",{d:"m4 20 .9-3.700L16 5.200a1.9 1.9 0 0 1 2.7 0l.1.100a1.9 1.\
9 0 0 1 0 2.700L7.7 19.1 4 20Z"})),On=R(s("path",{d:"M3.5 9.500A12.5 12.5 0 0 1 8 6.800M12.5 6c3 .2 5.8 1.4 8 3.500M6.8 \
13a8 8 0 0 1 3-1.800M14.5 11.400c1 .4 1.9.9 2.7 1.600M12 18v.01M4 4l16 16"}));function re({size:e=28}){return s("svg",{class:"\
brand-mark",width:e,height:e,viewBox:"0 0 32 32","aria-hidden":"true",focusable:"false",children:[s("path",{class:"brand\
-back",d:"M12 10.500a4.5 4.5 0 0 1 4.5-4.500h8a4.5 4.5 0 0 1 4.5 4.500v5.500a4.5 4.5 0 0 1-4.5 4.500H24v3.300a.7.7 0 0 1\
-1.2.500L19 20.500h-2.500a4.5 4.5 0 0 1-4.5-4.500Z"}),s("path",{class:"brand-front",d:"M3 14a4.5 4.5 0 0 1 4.5-4.500h8A4\
.5 4.5 0 0 1 20 14v5.500a4.5 4.5 0 0 1-4.5 4.500H13l-3.8 3.800a.7.7 0 0 1-1.2-.500V24h-.500A4.5 4.5 0 0 1 3 19.500Z"})]})}var Ve=[{theme:"system",name:"as the system",Icon:Sn},{theme:"light",name:"light",Icon:Mn},{theme:"dark",name:"dark",Icon:En}];
function Ge(){let[e,t]=M(_n()),n=Ve.findIndex(a=>a.theme===e),{name:o,Icon:i}=Ve[n],r=Ve[(n+1)%Ve.length];return s("butt\
on",{type:"button",class:"icon-button theme-button","data-theme-choice":e,"aria-label":`Colours: ${o}. Change to ${r.name}`,
title:`Colours: ${o}`,onClick:()=>{yn(r.theme),t(r.theme)},children:s(i,{})})}function de(e){let[,t]=oe(n=>n+1,0);return W(()=>e.watch(()=>t(void 0)),[e]),e}function pe(e){let[t,n]=M(Date.now());return L(
()=>{if(!e)return;n(Date.now());let o=setInterval(()=>n(Date.now()),250);return()=>clearInterval(o)},[e]),t}function we(e){let t=0;for(let n of e)t++;return t}function bt(e){return e.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g,
"").replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g,t=>t.length===2?t:"�").replace(/^(?:[ \t]*\r?\n)+/,"").trimEnd()}
function In(e){return([...e.trim()].find(n=>n!=="_")??"?").toUpperCase()}var Wo=12;function Nn(e){let t=2166136261;for(let n of new TextEncoder().
encode(e))t=Math.imul(t^n,16777619);return(t>>>0)%Wo}function $n(e){let t=[],n=0;for(let o of e.matchAll(/\bhttps?:\/\/[^\s<>"'`]+/gi)){
let i=o[0].replace(/[.,;:!?…]+$/,"");i.endsWith(")")&&!i.includes("(")&&(i=i.slice(0,-1));let r;try{r=new URL(i).href}catch{
continue}o.index>n&&t.push({text:e.slice(n,o.index)}),t.push({text:i,href:r}),n=o.index+i.length}return n<e.length&&t.push(
{text:e.slice(n)}),t}function Dn(e,t=3){if(e.length<=1)return e.join("");if(e.length<=t)return`${e.slice(0,-1).join(", ")}\
 and ${e[e.length-1]}`;let n=e.length-(t-1);return`${e.slice(0,t-1).join(", ")} and ${n} others`}function B(e,t,n=`${t}s`){
return`${e.toLocaleString()} ${e===1?t:n}`}var Bo=new Intl.DateTimeFormat(void 0,{timeStyle:"short"}),Ko=new Intl.DateTimeFormat(void 0,{dateStyle:"full",timeStyle:"\
medium"}),zo=new Intl.DateTimeFormat(void 0,{weekday:"long",day:"numeric",month:"long"}),Vo=new Intl.DateTimeFormat(void 0,
{weekday:"long",day:"numeric",month:"long",year:"numeric"}),Hn=e=>Bo.format(e),Un=e=>Ko.format(e),Fn=e=>String(e).padStart(
2,"0");function ae(e){return`${e.getFullYear()}-${Fn(e.getMonth()+1)}-${Fn(e.getDate())}`}function jn(e,t){let n=new Date(
t.getFullYear(),t.getMonth(),t.getDate()-1);return ae(e)===ae(t)?"Today":ae(e)===ae(n)?"Yesterday":(e.getFullYear()===t.
getFullYear()?zo:Vo).format(e)}function fe(e,t){return Math.max(0,Math.ceil((e-t)/1e3))}function he({name:e,size:t="medium"}){return s("span",{class:`avatar avatar-${t} hue-${Nn(e)}`,"aria-hidden":"true",children:In(
e)})}function Wn(){return s("span",{class:"avatar avatar-medium avatar-bot","aria-hidden":"true",children:s(ze,{size:20})})}
function qe({content:e}){return s("div",{class:"text",children:$n(e).map(({text:t,href:n})=>n?s("a",{href:n,target:"_bla\
nk",rel:"noopener noreferrer nofollow",children:t}):t)})}function Xe({at:e}){return s("time",{dateTime:e.toISOString(),title:Un(
e),children:Hn(e)})}function K(){return s("span",{class:"spinner","aria-hidden":"true"})}function xe({label:e,name:t,type:n="text",autocomplete:o,hint:i,error:r,onInput:a,autofocus:l}){let[d,p]=M(!1),c=P(null),
f=n==="password";L(()=>{l&&c.current.focus()},[]);let y=[i&&`${t}-hint`,r&&`${t}-error`].filter(Boolean).join(" ");return s(
"div",{class:`field ${r?"field-wrong":""}`,children:[s("label",{for:t,children:e}),s("div",{class:"field-box",children:[
s("input",{id:t,name:t,type:f&&d?"text":n,autocomplete:o,autocapitalize:"none",spellcheck:!1,ref:c,"aria-invalid":r?"tru\
e":void 0,"aria-describedby":y||void 0,onInput:a}),f&&s("button",{type:"button",class:"field-eye","aria-label":"Show pas\
sword","aria-pressed":d,onClick:()=>p(!d),children:s(An,{})})]}),r?s("p",{class:"field-error",id:`${t}-error`,children:r}):
i&&s("p",{class:"field-hint",id:`${t}-hint`,children:i})]})}var Bn=e=>new TextEncoder().encode(e).length;function Go(e,t,n){
let o={};return/^[A-Za-z0-9_]{3,50}$/.test(e)||(o.username="Use 3 to 50 letters, digits and underscores."),(t.length>255||
!/^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$/.test(t))&&(o.email="This does not look like an e-mail address."),Bn(
n)<8&&(o.password="Use at least 8 characters."),Bn(n)>100&&(o.password="This is too long; use at most 100 characters."),
o}function qo(e){return e instanceof A?e.status===400?"The server does not accept this name, address or password. A long\
er password, unlike the name, may do.":e.status===401?"That user name and password do not match.":e.status===409?"This u\
ser name or e-mail address is taken.":e.status===429?`Too many tries. Please wait ${Math.max(1,Math.ceil((e.waitMs??1e3)/
1e3))} s and try again.`:e.status===0?"The server cannot be reached. Check your connection and try again.":e.status>=500?
"The server cannot do this right now. Please try again in a moment.":e.message:"Something went wrong. Please try again."}
function Kn(e){let[t,n]=M({}),[o,i]=M(!1);return{faults:t,isBusy:o,onSubmit:async a=>{if(a.preventDefault(),o)return;let l=a.
currentTarget,d=Object.fromEntries([...new FormData(l)].map(([p,c])=>[p,String(c)]));i(!0),n({});try{await e(d)}catch(p){
let c=p instanceof Me?p.faults:{form:qo(p)};n(c);let f=["username","email","password"].find(y=>c[y])??"password";l.querySelector(
`[name=${f}]`)?.focus()}i(!1)},clear:()=>Object.keys(t).length>0&&n({})}}var Me=class extends Error{constructor(n){super(
"what was typed cannot be right");this.faults=n}};function Xo(){let{leaving:e}=de(U);return s("div",{role:"status",id:"l\
eaving","data-leaving":e,children:[e==="telling"&&s("p",{class:"notice",children:[s(K,{})," Logging out. The server has \
not confirmed it yet."]}),e==="untold"&&s("p",{class:"notice notice-warn",children:[s(ie,{size:18}),s("span",{children:[
"The server could not be told that you have logged out. Until it is, your session goes on there."," ",s("button",{type:"\
button",class:"link-button",onClick:()=>{U.tell()},children:"Try again"})]})]}),e==="told"&&s("p",{class:"notice",children:"\
You are logged out."})]})}function zn({id:e,title:t,lead:n,notice:o,fault:i,isBusy:r,button:a,onSubmit:l,children:d,footer:p}){
return s("div",{class:"account",children:[s("header",{class:"account-top",children:[s("span",{class:"brand",children:[s(
re,{})," confab"]}),s(Ge,{})]}),s("main",{class:"card",children:[s("h1",{children:t}),s("p",{class:"lead",children:n}),o&&
s("p",{class:"notice",children:o}),s(Xo,{}),s("form",{id:e,onSubmit:l,noValidate:!0,"aria-busy":r,children:[s("div",{role:"\
alert",children:i&&s("p",{class:"form-error",children:[s(ie,{size:18})," ",i]})}),d,s("button",{class:"button button-pri\
mary button-wide","aria-disabled":r,children:[r&&s(K,{})," ",a]})]}),s("p",{class:"card-foot",children:p})]})]})}function Vn({
onEntered:e,onLink:t,notice:n}){let{faults:o,isBusy:i,onSubmit:r,clear:a}=Kn(async({username:l="",password:d=""})=>{let p={};
if(l||(p.username="Enter your user name."),d||(p.password="Enter your password."),p.username||p.password)throw new Me(p);
await U.login(l,d),e()});return s(zn,{id:"login",title:"Welcome back",lead:"Log in to join the conversation.",notice:n,fault:o.
form,isBusy:i,button:"Log in",onSubmit:r,footer:s(S,{children:["New here?"," ",s("a",{href:"/register",onClick:t,children:"\
Create an account"})]}),children:[s(xe,{label:"User name",name:"username",autocomplete:"username",error:o.username,onInput:a,
autofocus:!0}),s(xe,{label:"Password",name:"password",type:"password",autocomplete:"current-password",error:o.password,onInput:a})]})}
function Gn({onEntered:e,onLink:t}){let{faults:n,isBusy:o,onSubmit:i,clear:r}=Kn(async({username:a="",email:l="",password:d=""})=>{
let p=Go(a,l,d);if(Object.keys(p).length>0)throw new Me(p);await $.register(a,l,d),await U.login(a,d),e()});return s(zn,
{id:"register",title:"Create your account",lead:"A name, an address, a password. That is all.",fault:n.form,isBusy:o,button:"\
Create account",onSubmit:i,footer:s(S,{children:["Already have an account?"," ",s("a",{href:"/login",onClick:t,children:"\
Log in"})]}),children:[s(xe,{label:"User name",name:"username",autocomplete:"username",hint:"Letters, digits and undersc\
ores. Everyone sees it.",error:n.username,onInput:r,autofocus:!0}),s(xe,{label:"E-mail",name:"email",type:"email",autocomplete:"\
email",error:n.email,onInput:r}),s(xe,{label:"Password",name:"password",type:"password",autocomplete:"new-password",hint:"\
At least 8 characters.",error:n.password,onInput:r})]})}var Zo=800,Ze="command-help";function qn({room:e,name:t,onSent:n}){let o=P(null),[i,r]=M(!1),[a,l]=M(0),[,d]=oe(_=>_+1,0),
{draft:p,trouble:c}=e;pe(c!==null&&c.untilMs>0);let f=()=>e.trouble?fe(e.trouble.untilMs,Date.now()):0,y=()=>i?[]:dn(e.draft),
u=()=>{let _=bt(e.draft),I=we(_);return I>0&&I<=1e3&&f()===0?_:null},h=f(),b=y(),m=b[Math.min(a,b.length-1)],g=m?null:pn(
p),v=we(bt(p));W(()=>{if(CSS.supports("field-sizing","content"))return;let _=o.current;_.style.height="auto",_.style.height=
`${_.scrollHeight}px`},[p,e]),L(()=>{matchMedia("(pointer: coarse)").matches||o.current.focus({preventScroll:!0})},[e]),
L(()=>{c!==null&&c.untilMs>0&&h===0&&e.dismissTrouble()},[c,h]);let E=_=>{e.setDraft(_),r(!1),l(0),d(void 0)},w=()=>{let _=u();
_!==null&&(e.send(_),e.dismissTrouble(),d(void 0),n())},z=({insert:_})=>{E(_),o.current.focus()},Q=_=>{if(_.isComposing)
return;let I=_.key==="ArrowDown"||_.ctrlKey&&_.key==="n",ee=_.key==="ArrowUp"||_.ctrlKey&&_.key==="p",D=y(),j=Math.min(a,
D.length-1),O=D[j];O&&(I||ee)?(_.preventDefault(),l((j+(I?1:D.length-1))%D.length)):O&&(_.key==="Enter"&&!_.shiftKey||_.
key==="Tab"&&!_.shiftKey)?(_.preventDefault(),z(O)):O&&_.key==="Escape"?(_.preventDefault(),r(!0)):_.key==="Enter"&&!_.shiftKey&&
!_.ctrlKey&&!_.altKey&&!_.metaKey&&(_.preventDefault(),w())};return s("div",{class:"composer-area",children:[s("div",{role:"\
alert",children:c&&s("p",{class:"trouble",children:[s(ie,{size:18}),s("span",{children:[c.message,h>0&&`. You can send a\
gain in ${h} s.`]}),s("button",{type:"button",class:"icon-button icon-button-small","aria-label":"Dismiss",onClick:()=>e.
dismissTrouble(),children:s(J,{size:16})})]})}),m&&s("ul",{class:"command-help",id:Ze,role:"listbox","aria-label":"Comma\
nds",children:b.map(_=>s("li",{id:`${Ze}-${_.insert.replace(/\W/g,"")}`,role:"option","aria-selected":_===m,onPointerDown:I=>I.
preventDefault(),onClick:()=>z(_),children:[s("b",{children:_.title})," ",s("span",{children:_.hint})]},_.insert))}),s("\
form",{class:`composer ${v>1e3?"composer-over":""}`,id:"composer",onSubmit:_=>{_.preventDefault(),w(),o.current.focus()},
children:[s("textarea",{ref:o,name:"content",rows:1,placeholder:`Message ${t}`,"aria-label":`Message ${t}`,autocomplete:"\
off",enterkeyhint:"send","aria-autocomplete":"list","aria-haspopup":"listbox","aria-controls":m?Ze:void 0,"aria-activede\
scendant":m?`${Ze}-${m.insert.replace(/\W/g,"")}`:void 0,"aria-invalid":v>1e3?"true":void 0,"aria-describedby":"composer\
-note",value:p,onInput:({currentTarget:_})=>E(_.value),onKeyDown:Q}),s("button",{class:"send","aria-label":"Send",title:"\
Send","aria-disabled":u()===null,children:s(wn,{})})]}),s("p",{class:"composer-note",id:"composer-note",children:[g?s("s\
pan",{class:`hint hint-${g.kind}`,children:[s(ze,{size:16})," ",g.text]}):s("span",{class:"keys",children:[s("kbd",{children:"\
Enter"})," sends, ",s("kbd",{children:"Shift Enter"})," begins a new line, ",s("kbd",{children:"/"})," shows commands"]}),
v>=Zo&&s("span",{class:`counter ${v>1e3?"counter-over":""}`,id:"counter",children:[v.toLocaleString()," of ",1e3.toLocaleString(),
" characters"]})]}),s("p",{class:"visually-hidden",role:"status",children:b.length>0?`${b.length} commands, arrows choos\
e, Enter takes`:""})]})}var Yo=5*6e4;function Jo(e){let t=new Map;for(let{kind:i,username:r}of e){let a=t.get(r);a?a.last=i:t.set(r,{first:i,last:i})}
let n=(i,r)=>[...t].filter(([,a])=>a.first===i&&a.last===r).map(([a])=>a);return[[n("joined","joined"),"joined"],[n("lef\
t","joined"),"came back"],[n("joined","left"),"looked in"],[n("left","left"),"left"]].filter(([i])=>i.length>0).map(([i,
r])=>`${Dn(i)} ${r}`).join(" · ")}function Xn(e,t,n,o){let i=[],r="",a=null,l=o===null,d=c=>{ae(c)!==r&&(r=ae(c),i.push(
{kind:"day",id:`day-${r}`,label:jn(c,n),date:r}),a=null)},p=(c,f)=>{let y=a===null||a.author!==c||f.getTime()-a.atMs>Yo;
return a={author:c,atMs:f.getTime()},y};for(let c of e)switch(c.kind){case"post":{let{post:f,id:y}=c,u=new Date(f.createdAt),
h=f.userId===t.id;d(u),!l&&f.key>o&&!h&&(i.push({kind:"unread",id:"unread"}),l=!0,a=null),i.push({kind:"post",id:y,post:f,
at:u,leads:p(f.userId,u),isOwn:h});break}case"pending":{let{pending:f,id:y}=c,u=new Date(f.atMs);d(u),i.push({kind:"pend\
ing",id:y,pending:f,at:u,leads:p(t.id,u),isOwn:!0});break}case"bot":{let f=new Date(c.post.createdAt);d(f),i.push({kind:"\
bot",id:c.id,post:c.post,at:f}),a=null;break}case"asked":i.push({kind:"asked",id:c.id,content:c.content}),a=null;break;case"\
notes":d(new Date(c.notes[0].atMs)),i.push({kind:"notes",id:c.id,text:Jo(c.notes)}),a=null;break}return i}function kt(e,t){let n=t===null?-1:e.findIndex(({id:o})=>o===t);return n<0?{from:Math.max(0,e.length-180),to:e.length}:{
from:n,to:Math.min(e.length,n+240)}}function Zn(e,t,n){let{from:o}=kt(e,t),i=Math.min(Math.max(0,o+n),Math.max(0,e.length-
1));return i+180>=e.length&&n>0?null:e[i]?.id??null}var Ye=500,Qo=60;function es({pending:e,room:t}){let n=pe(e.state==="failed"&&e.retryAtMs>Date.now()),o=fe(e.retryAtMs,n);
return e.state==="failed"?s("div",{class:"failure",role:"group","aria-label":"Not sent",children:[s(ie,{size:16}),s("spa\
n",{children:["Not sent: ",e.error,o>0&&` (${o} s)`]}),s("button",{type:"button",class:"link-button",disabled:o>0,onClick:()=>t.
retry(e.key),children:"Send again"}),s("button",{type:"button",class:"link-button",onClick:()=>t.discard(e.key),children:"\
Delete"})]}):null}function ts({state:e}){return s("span",{class:`mark mark-${e}`,title:e==="stored"?"Stored":"Sending",children:[
e==="stored"?s(Tn,{size:15}):s(Ln,{size:14}),s("span",{class:"visually-hidden",children:e==="stored"?"stored":"sending"})]})}
function ns({row:e,me:t,room:n}){switch(e.kind){case"day":return s("li",{class:"day","data-row":e.id,children:s("time",{
dateTime:e.date,children:e.label})});case"unread":return s("li",{class:"unread","data-row":e.id,children:s("span",{children:"\
New"})});case"notes":return s("li",{class:"notes","data-row":e.id,children:e.text});case"asked":return s("li",{class:"me\
ssage asked","data-row":e.id,children:[s(qe,{content:e.content}),s("span",{class:"only-you",children:"only you see this"})]});case"\
bot":return s("li",{class:`message bot ${e.post.isError?"bot-error":""}`,"data-row":e.id,"data-id":e.post.id,children:[s(
Wn,{}),s("div",{class:"body",children:[s("p",{class:"who",children:[s("b",{children:e.post.username}),s("span",{class:"t\
ag",children:"Bot"}),e.post.isError&&s("span",{class:"tag tag-warn",children:"Error"}),s(Xe,{at:e.at})]}),s(qe,{content:e.
post.content})]})]});case"pending":case"post":{let o=e.kind==="post"?e.post.username:t.username,i=e.kind==="post"?e.post.
content:e.pending.content,r=e.kind==="post"?"stored":e.pending.state;return s("li",{class:`message ${e.leads?"leads":""}\
 ${e.isOwn?"own":""} is-${r}`,"data-row":e.id,"data-id":e.kind==="post"?e.post.id:void 0,"data-state":r,children:[e.leads?
s(he,{name:o}):s("span",{class:"gutter",children:s(Xe,{at:e.at})}),s("div",{class:"body",children:[e.leads?s("p",{class:"\
who",children:[s("b",{children:o}),e.isOwn&&s("span",{class:"you",children:"you"}),s(Xe,{at:e.at})]}):s("span",{class:"v\
isually-hidden",children:[o,": "]}),s("div",{class:"line",children:[s(qe,{content:i}),e.isOwn&&r!=="failed"&&s(ts,{state:r===
"stored"?"stored":"sending"}),e.kind==="pending"&&e.pending.isCommand&&s("span",{class:"only-you",children:"only you see\
 this"})]}),e.kind==="pending"&&s(es,{pending:e.pending,room:n})]})]})}}}function Yn({lines:e}){return s("div",{class:"s\
keleton-messages","aria-hidden":"true",children:Array.from({length:e},()=>s("div",{class:"skeleton-message",children:[s(
"i",{class:"bone bone-avatar"}),s("div",{children:[s("i",{class:"bone bone-name"}),s("i",{class:"bone bone-line"})]})]}))})}
function Jn({room:e,me:t,name:n,sends:o}){let{timeline:i}=e,r=P(null),a=P(null),[l,d]=M(null),[p,c]=M(!0),f=P(!0),y=P(null),
u=P(""),h=P(new Map),b=i.entries(),m=kt(b,l),g=Xn(b.slice(m.from,m.to),t,new Date,e.unreadAfter),v=h.current;h.current=new Map;
let E=k=>{let F=v.get(k.id),G=k.kind==="post"&&F?.post===k.post&&F.leads===k.leads?F.line:s(ns,{row:k,me:t,room:e},k.id);
return k.kind==="post"&&h.current.set(k.id,{post:k.post,leads:k.leads,line:G}),G},w=r.current?.scrollTop??0,z=m.to===b.length&&
i.atEnd,Q=()=>{if(y.current=null,f.current)return;let{scrollTop:k}=r.current,{top:F}=r.current.getBoundingClientRect();for(let V of a.
current.querySelectorAll(".message")){let{bottom:G}=V.getBoundingClientRect();if(!(G<=F)){y.current={id:V.dataset.row,bottom:G,
scrollTop:k};return}}},_=k=>d(Zn(b,l,k)),I=k=>{f.current=k,c(k)},ee=()=>{d(null),I(!0),i.atEnd||e.loadNewest()},D=()=>{m.
from===0&&!i.atStart&&!e.loadingOlder&&!e.olderFailed&&e.connection.wasLive&&r.current.scrollTop<Ye&&e.loadOlder()},j=()=>{
let{scrollTop:k,scrollHeight:F,clientHeight:V}=r.current,G=F-k-V,ge=z&&G<Qo;ge!==f.current&&(I(ge),ge?d(null):l===null&&
d(b[m.from]?.id??null)),!ge&&k<Ye&&m.from>0?_(-60):!ge&&G<Ye&&m.to<b.length&&_(60),D(),Q()};W(()=>{let k=r.current,F=y.current,
V=F&&a.current.querySelector(`[data-row="${CSS.escape(F.id)}"]`);f.current?k.scrollTop=k.scrollHeight:V&&(k.scrollTop+=V.
getBoundingClientRect().bottom-(F.bottom+F.scrollTop-w)),f.current&&(u.current=i.newest?.key??""),Q()}),L(()=>{D(),!f.current&&
m.from>0&&r.current.scrollTop<Ye&&_(-60)}),W(()=>{let k=r.current,F=new ResizeObserver(()=>{f.current&&(k.scrollTop=k.scrollHeight)});
return F.observe(k),()=>F.disconnect()},[]),L(()=>{o>0&&ee()},[o]);let O=0;if(!p)for(let k=i.posts.length-1;k>=0&&i.posts[k].
key>u.current;k--)O++;let H=!e.connection.wasLive&&i.posts.length===0;return s("div",{class:"messages",children:[s("div",
{ref:r,class:"scroller",id:"messages",tabIndex:0,role:"log","aria-live":"off","aria-label":`Messages in ${n}`,onScroll:j,
children:[s("div",{class:"filler"}),H?s(Yn,{lines:8}):m.from===0&&i.atStart?s("div",{class:"beginning",children:[s("h2",
{children:n}),s("p",{children:b.length>0?"This is where it began.":"Nobody has said anything yet. Begin!"})]}):m.from===
0&&e.olderFailed?s("div",{class:"older-failed",children:["Older messages could not be loaded."," ",s("button",{type:"but\
ton",class:"link-button",onClick:()=>{e.loadOlder()},children:"Try again"})]}):s(Yn,{lines:3}),s("ol",{ref:a,children:g.
map(E)})]}),!p&&s("button",{type:"button",class:`to-end ${O>0?"has-news":""}`,id:"to-end",onClick:ee,children:[s(xn,{size:16}),
" ",O>0?B(O,"new message"):"To the newest"]})]})}function Qn({room:e,me:t,onClose:n}){let{presence:o}=e,i=o.names(t.username);return s("aside",{class:"people",id:"people",
"aria-label":"Who is here",children:[s("header",{children:[s("h2",{children:"Who is here"}),s("button",{type:"button",class:"\
icon-button","aria-label":"Close the list of people",onClick:n,children:s(J,{})})]}),s("ul",{children:i.map(r=>s("li",{children:[
s(he,{name:r,size:"small"}),s("span",{class:"people-name",children:r}),r===t.username&&s("span",{class:"you",children:"y\
ou"})]},r))}),o.unnamed>0&&s("p",{class:"people-more",children:["and ",B(o.unnamed,"more connection"),". Names appear wh\
en people come, write or go."]})]})}function os(e){switch(e.connection.phase){case"live":return{kind:"live",text:"Connected"};case"waiting":return{kind:"los\
t",text:"Disconnected"};default:return{kind:"busy",text:e.connection.wasLive?"Reconnecting":"Connecting"}}}function ss({
room:e}){let{phase:t,dueMs:n,attempt:o}=e.connection,i=t==="waiting",r=pe(i),a=t!=="live"&&t!=="ended"&&t!=="idle"&&o>0,
l=e.timeline.pending.filter(({state:d})=>d==="sending").length;return s("div",{role:"status",children:(i||a)&&s("div",{class:"\
banner",id:"banner",children:[i?s(On,{size:18}):s(K,{}),s("span",{children:[i?"The connection is lost. ":"Connecting aga\
in. ",s("span",{"aria-hidden":"true",children:i&&`Next try in ${fe(n,r)} s. `}),l>0?`${B(l,"message")} will be sent then\
.`:"What you write is kept and sent then."]}),i&&s("button",{type:"button",class:"link-button",onClick:()=>e.wake(),children:"\
Try now"})]})})}function is({room:e}){return s("p",{class:"visually-hidden","aria-live":"polite",children:e.heard&&`${e.
heard.username}: ${e.heard.content.slice(0,300)}`})}function eo({chat:e,room:t}){de(t);let[n,o]=M(!1),[i,r]=M(0),a=e.list.
get(t.id),l=a?.name??"",d=os(t),p=t.presence.connections||a?.userCount||0;return L(()=>{let c=f=>{f.key==="Escape"&&!f.defaultPrevented&&
o(!1)};return document.addEventListener("keydown",c),()=>document.removeEventListener("keydown",c)},[]),t.connection.ending===
"gone"?s("main",{class:"room empty",children:[s("h1",{children:"This room does not exist"}),s("p",{children:"The address\
 may be mistyped."}),s("a",{class:"button",href:"#/",children:"All rooms"})]}):s(S,{children:[s("main",{class:"room","da\
ta-phase":t.connection.phase,"data-room":t.id,children:[s("header",{class:"room-top",children:[s("a",{class:"icon-button\
 back",href:"#/","aria-label":"All rooms",children:s(Cn,{})}),s("span",{class:"room-sign",children:a?.isEphemeral?s(Ke,{}):
s(Be,{})}),s("div",{class:"room-title",children:[s("h1",{id:"room-name-shown",children:l||s("span",{class:"bone bone-tit\
le"})}),s("p",{children:[s("span",{class:`status status-${d.kind}`,id:"status",role:"status",children:[s("span",{class:"\
dot"})," ",d.text]}),a?.isEphemeral&&s("span",{children:" · Nothing is kept"})]})]}),s("button",{type:"button",class:"p\
eople-button",id:"who-is-here","aria-expanded":n,"aria-controls":"people","aria-label":`Who is here: ${B(p,"connection")}`,
title:"Who is here",onClick:()=>o(!n),children:[s(kn,{size:18})," ",p.toLocaleString()]})]}),s(ss,{room:t}),s(Jn,{room:t,
me:e.me,name:l,sends:i},t.id),s(qn,{room:t,name:l,onSent:()=>r(i+1)}),s(is,{room:t})]}),n&&s(Qn,{room:t,me:e.me,onClose:()=>o(
!1)})]})}function no({chat:e,name:t,onDone:n}){let o=P(null),i=P(null),[r,a]=M(t),[l,d]=M(!1),[p,c]=M(null),[f,y]=M(!1);return W(
()=>{o.current.showModal(),i.current.focus()},[]),s("dialog",{ref:o,class:"dialog","aria-labelledby":"new-room-title",onClose:n,
onClick:h=>{h.target===o.current&&o.current?.close()},children:s("form",{id:"create",class:"dialog-body",onSubmit:async h=>{
if(h.preventDefault(),f)return;let b=r.replace(new RegExp("\\p{Cc}","gu")," ").trim();if(!b)return c("Give the room a na\
me.");if(we(b)>100)return c(`A name has at most ${100} characters.`);y(!0);try{let m=await e.create(b,l);n(),location.hash=
`#/room/${m.id}`}catch(m){c(m instanceof Error?m.message:String(m)),y(!1)}},noValidate:!0,children:[s("header",{children:[
s("h2",{id:"new-room-title",children:"New room"}),s("button",{type:"button",class:"icon-button","aria-label":"Close",onClick:()=>o.
current?.close(),children:s(J,{})})]}),s("div",{class:`field ${p?"field-wrong":""}`,children:[s("label",{for:"room-name",
children:"Name"}),s("div",{class:"field-box",children:s("input",{id:"room-name",name:"name",ref:i,autocomplete:"off",placeholder:"\
What is it about?",value:r,"aria-invalid":p?"true":void 0,"aria-describedby":"room-name-note",onInput:({currentTarget:h})=>{
a(h.value),c(null)}})}),s("p",{id:"room-name-note",class:p?"field-error":"field-hint",role:p?"alert":void 0,children:p??
"Everyone can find it and join."})]}),s("label",{class:"switch-line",children:[s("input",{type:"checkbox",name:"ephemera\
l",class:"switch",checked:l,onChange:({currentTarget:h})=>d(h.checked)}),s("span",{children:[s("b",{children:"Keep nothi\
ng"}),s("small",{children:"Messages are shown to those who are there, and never stored."})]})]}),s("footer",{children:[s(
"button",{type:"button",class:"button",onClick:()=>o.current?.close(),children:"Cancel"}),s("button",{class:"button butt\
on-primary","aria-disabled":f,children:[f&&s(K,{})," Create room"]})]})]})})}var rs=30,as=e=>`#/room/${e.id}`;function ls({room:e,chat:t}){let n=t.room?.id===e.id,o=t.openRoom(e.id)?.unread??0,i=!n&&
nn(t.me.id,e.id);return s("li",{children:s("a",{class:`room-link ${o?"is-unread":""}`,href:as(e),"data-room":e.id,"aria-\
current":n?"page":void 0,children:[s("span",{class:"room-sign",children:e.isEphemeral?s(Ke,{size:18}):s(Be,{size:18})}),
s("span",{class:"room-name",children:e.name}),e.isEphemeral&&s("span",{class:"visually-hidden",children:", messages are \
not kept"}),i&&s("span",{class:"room-draft",title:"Not sent yet",children:[s(Rn,{size:15}),s("span",{class:"visually-hid\
den",children:", has a draft"})]}),o>0&&s("span",{class:"badge",children:[o>99?"99+":o,s("span",{class:"visually-hidden",
children:" unread"})]}),e.userCount>0&&s("span",{class:"room-count",title:`${B(e.userCount,"connection")} now`,children:[
s("span",{class:"dot"}),e.userCount.toLocaleString(),s("span",{class:"visually-hidden",children:" connected"})]})]})})}function cs(){
return s("div",{class:"skeleton-rooms","aria-hidden":"true",children:Array.from({length:7},()=>s("div",{class:"skeleton-\
room",children:[s("i",{class:"bone bone-sign"}),s("i",{class:"bone bone-line"})]}))})}function oo({chat:e}){let[t,n]=M(""),
[o,i]=M(!1),r=P(null),a=P(null),l=P(null),d=P("");d.current=t;let p=t.trim(),c=e.list.search(t),f=e.list.cursor===void 0;
L(()=>{p&&e.seek(()=>e.list.search(p).length>=rs,()=>d.current.trim()===p)},[p,e]),L(()=>{let h=new IntersectionObserver(
b=>{b.some(({isIntersecting:m})=>m)&&!d.current.trim()&&!e.listError&&e.loadMore()},{rootMargin:"200px"});return l.current&&
h.observe(l.current),()=>h.disconnect()},[e,e.list.rooms.length]),L(()=>{let h=b=>{(b.ctrlKey||b.metaKey)&&!b.altKey&&b.
key.toLowerCase()==="k"&&(b.preventDefault(),r.current?.focus(),r.current?.select())};return document.addEventListener("\
keydown",h),()=>document.removeEventListener("keydown",h)},[]);let y=()=>[...a.current?.querySelectorAll("a")??[]],u=h=>{
let b=h.key==="ArrowDown"?1:h.key==="ArrowUp"?-1:0;if(b===0)return;h.preventDefault();let m=y(),g=m.indexOf(document.activeElement)+
b;g<0?r.current?.focus():m[g]?.focus()};return s("nav",{class:"sidebar","aria-label":"Rooms",children:[s("header",{class:"\
sidebar-top",children:[s("a",{class:"brand",href:"#/","aria-label":"confab, all rooms",children:[s(re,{size:26})," confa\
b"]}),s("button",{type:"button",class:"icon-button",id:"new-room","aria-label":"New room",title:"New room",onClick:()=>i(
!0),children:s(vn,{})})]}),s("div",{class:"search",onKeyDown:u,children:[s(bn,{size:18}),s("input",{ref:r,id:"search",type:"\
search",placeholder:"Find a room","aria-label":"Find a room",autocomplete:"off",value:t,onInput:({currentTarget:h})=>n(h.
value),onKeyDown:h=>{h.key==="Escape"&&t&&(h.preventDefault(),n("")),h.key==="Enter"&&y()[0]?.click()}}),t?s("button",{type:"\
button",class:"search-clear","aria-label":"Clear the search",onClick:()=>n(""),children:s(J,{size:16})}):s("kbd",{"aria-\
hidden":"true",children:"Ctrl K"})]}),s("div",{class:"room-list",children:[f&&!e.listError&&s(cs,{}),s("ul",{ref:a,onKeyDown:u,
id:"rooms",children:c.map(h=>s(ls,{room:h,chat:e},h.id))}),p&&c.length===0&&e.list.isComplete&&s("div",{class:"list-empt\
y",children:[s("p",{children:["No room is called “",p,"”."]}),s("button",{type:"button",class:"button",onClick:()=>i(
!0),children:"Create it"})]}),!p&&e.list.isComplete&&e.list.rooms.length===0&&s("div",{class:"list-empty",children:[s("p",
{children:"No rooms yet."}),s("button",{type:"button",class:"button",onClick:()=>i(!0),children:"Create the first one"})]}),
e.listError&&s("div",{class:"list-empty",role:"alert",children:[s("p",{children:e.listError}),s("button",{type:"button",
class:"button",onClick:()=>{e.list.isComplete?e.refresh():e.loadMore()},children:"Try again"})]}),!e.list.isComplete&&!f&&
!e.listError&&s("button",{type:"button",class:"list-more",disabled:e.isListing,onClick:()=>{e.loadMore()},children:e.isListing?
s(S,{children:[s(K,{})," ",p?`Searching, ${B(e.list.rooms.length,"room")} so far`:"Loading"]}):p?"Search on":"More rooms"}),
s("div",{ref:l,class:"list-end"}),s("p",{class:"visually-hidden",role:"status",children:p&&!e.isListing?B(c.length,"room")+
" found":""})]}),s("footer",{class:"whoami",children:[s(he,{name:e.me.username,size:"small"}),s("span",{class:"whoami-na\
me",id:"me",children:e.me.username}),s(Ge,{}),s("button",{type:"button",class:"icon-button",id:"logout","aria-label":"Lo\
g out",title:"Log out",onClick:()=>e.logout(),children:s(Pn,{})})]}),o&&s(no,{chat:e,name:c.length===0?p:"",onDone:()=>i(
!1)})]})}function us(){return/^#\/room\/([0-9a-f-]{36})$/.exec(location.hash)?.[1]??null}function ds(e){let t=e.room&&e.list.get(
e.room.id)?.name;return`${e.unread>0?`(${e.unread}) `:""}${t?`${t} · `:""}confab`}function ps({chat:e,notice:t}){de(e),
W(()=>{let o=()=>e.show(us());return o(),window.addEventListener("hashchange",o),()=>window.removeEventListener("hashcha\
nge",o)},[e]);let n=ds(e);return W(()=>{document.title=n},[n]),s("div",{class:`chat ${e.room?"has-room":""}`,children:[s(
"a",{class:"skip",href:e.room?"#composer":"#search",onClick:o=>{o.preventDefault(),document.querySelector("#composer tex\
tarea, #search")?.focus()},children:"Skip to the message field"}),s(oo,{chat:e}),e.room?s(eo,{chat:e,room:e.room},e.room.
id):s("main",{class:"room empty",children:[s(re,{size:56}),s("h1",{children:"Choose a room"}),s("p",{children:"Pick one \
from the list, or make a new one with the plus above it."}),t&&s("p",{class:"notice",role:"status",children:t})]})]})}function fs({
error:e,onRetry:t}){return s("main",{class:"waiting",children:e===null?s(S,{children:[s(K,{}),s("p",{class:"visually-hid\
den",role:"status",children:"Loading"})]}):s(S,{children:[s(re,{size:48}),s("h1",{children:"No answer from the server"}),
s("p",{role:"alert",children:e}),s("button",{type:"button",class:"button button-primary",onClick:t,children:"Try again"})]})})}
var hs={asked:void 0,ended:"Your session has ended. Log in to go on.",elsewhere:"You have logged out in another tab.",replaced:"\
Another account has been logged in in this browser, and this page is theirs now."};function ms(){let[,e]=oe(g=>g+1,0),[t,
n]=M(null),o=P(null),i=P(0),[r,a]=M(null),[l,d]=M(void 0),{pathname:p}=location,c=p==="/login"||p==="/register",f=g=>{history.
pushState(null,"",g+location.hash),e(void 0)};L(()=>{let g=()=>e(void 0);return window.addEventListener("popstate",g),()=>window.
removeEventListener("popstate",g)},[]);let y=()=>{o.current?.close(),o.current=null,n(null)},u=g=>{y(),g!=="ended"&&history.
replaceState(null,"","/"),g==="asked"&&U.logout(),d(hs[g]),g!=="replaced"&&f("/login")},h=async()=>{if(a(null),U.isLeaving)
return U.tell(),f("/login");let g=++i.current;try{let v=await $.me();if(g!==i.current||location.pathname!=="/"||U.isLeaving)
return;let E=new je(v,w=>{o.current===E&&u(w)});o.current=E,U.entered(v),n(E)}catch(v){if(g!==i.current)return;v instanceof
A&&v.status===401?f("/login"):a(v instanceof Error?v.message:String(v))}};L(()=>(U.isLeaving&&U.tell(),U.listen(g=>{let v=o.
current;g.is==="out"&&v&&u("elsewhere"),g.is==="in"&&v&&v.me.id!==g.user&&u("replaced")})),[]),L(()=>{!c&&!t&&h(),c&&t&&
y(),!t&&!c&&(document.title="confab"),c&&(document.title=p==="/login"?"Log in · confab":"Create an account · confab")},
[c,p,t]);let b=g=>{g.ctrlKey||g.metaKey||g.shiftKey||(g.preventDefault(),f(g.currentTarget.pathname))},m=()=>{d(void 0),
f("/")};return p==="/login"?s(Vn,{onEntered:m,onLink:b,notice:l}):p==="/register"?s(Gn,{onEntered:m,onLink:b}):t?s(ps,{chat:t,
notice:l}):s(fs,{error:r,onRetry:()=>{h()}})}Nt(s(ms,{}),document.getElementById("app"));})();
